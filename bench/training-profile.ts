/**
 * Where a training step's time goes: the plan walked on one thread, each kernel call timed, summed by kernel.
 *
 *   npx esbuild bench/training-profile.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/bench/training-profile.mjs
 *   node24 .cache/bench/training-profile.mjs [--build simd] [--fused] [--steps 3] [--shapes] [--cpu]
 * --cpu counts time of the processor in place of time of day, for a machine that others use too (a tick of 1 ms; Node 24).
 */
import { parseArgs } from 'node:util';
import { bindSteps, SLOT, SLOT_COUNT, walk } from '../src/kernels/steps.js';
import { NEXT_TOKEN } from '../src/train/loop/engine.js';
import { gptEngine, learnOnce, randomBatch } from './training-model.js';

const { values: args } = parseArgs({ options: { build: { type: 'string', default: 'simd' }, steps: { type: 'string', default: '3' }, shapes: { type: 'boolean' }, fused: { type: 'boolean' }, cpu: { type: 'boolean' } } });
const engine = await gptEngine({ build: args.build as 'simd', threads: 1, fusedMultiplyAdd: args.fused ?? false });
learnOnce(engine, randomBatch(engine), 1);

const now = (): number => {
  if (!args.cpu) return performance.now();
  const { user, system } = (process as unknown as { threadCpuUsage(): NodeJS.CpuUsage }).threadCpuUsage();
  return (user + system) / 1000;
};
const bound = bindSteps(engine.plan.steps, engine.kernels.exports);
const slots = new Uint32Array(SLOT_COUNT);
const spent = new Map<string, { ms: number; calls: number }>();
for (let round = 0; round < Number(args.steps); round++) {
  for (const phase of ['clear', 'learn', 'norm', 'update'] as const) {
    const { first, end } = engine.plan.objectives[NEXT_TOKEN]!.phases[phase];
    for (let i = first; i < end; i++) {
      slots[SLOT.stepFirst] = i;
      slots[SLOT.stepCount] = i + 1;
      const begun = now();
      walk(bound, slots, 0, 1);
      const ms = now() - begun;
      const { kernel, arguments: operands } = engine.plan.steps[i]!;
      const name = args.shapes && kernel.startsWith('matmul') ? `${kernel} ${operands.slice(4, 7).map(({ base }) => base).join(' x ')}` : kernel;
      const entry = spent.get(name) ?? { ms: 0, calls: 0 };
      spent.set(name, { ms: entry.ms + ms, calls: entry.calls + 1 });
    }
  }
}
const rounds = Number(args.steps);
const total = [...spent.values()].reduce((sum, { ms }) => sum + ms, 0) / rounds;
for (const [name, { ms, calls }] of [...spent].sort((a, b) => b[1].ms - a[1].ms)) {
  console.log(`${name.padEnd(44)} ${(calls / rounds).toFixed(0).padStart(4)} calls ${(ms / rounds).toFixed(2).padStart(9)} ms ${((100 * ms) / rounds / total).toFixed(1).padStart(5)} %`);
}
console.log(`step ${total.toFixed(1)} ms, ${((1000 * 2048) / total).toFixed(0)} tokens/s`);
engine.dispose();
