/** The f32 products of a training step on one thread, each beside what a core can do, probed in the same round: fused, and multiply, then add. */
import { readFileSync } from 'node:fs';
import type { BenchExports, KernelExports, TrainExports } from '../src/kernels/instance.js';

export interface Rate {
  readonly name: string;
  readonly build: string;
  readonly gflops: number;
  readonly share: number;
  readonly ofSeparate: number;
}

/** Tokens, outputs, inputs: one sequence-parallel quarter of the step's rows. */
const SHAPES = [[512, 1024, 256], [512, 256, 1024], [512, 768, 256], [512, 4096, 256]] as const;
const PROBE_ITERATIONS = 100_000;
const PROBE_BYTES = 64;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

type Exports = KernelExports & TrainExports & BenchExports;

function instantiate(build: string, memory: WebAssembly.Memory): Exports {
  const load = (set: string) => new WebAssembly.Instance(new WebAssembly.Module(readFileSync(`dist/wasm/${set}/${build}.wasm`)), { env: { memory } }).exports;
  return Object.assign({}, ...['core', 'floats', 'train', 'bench'].map(load)) as Exports;
}

/** One instance a build, with room for the largest shape, filled with small numbers. */
function calls(build: string, [m, n, k]: readonly [number, number, number]): { name: string; run: () => void }[] {
  const fused = build === 'fused';
  const memory = new WebAssembly.Memory({ initial: 1024 });
  const exports = instantiate(fused ? 'relaxed' : build, memory);
  let end = 1 << 20;
  const take = (floats: number) => {
    const at = end;
    end += Math.ceil(floats / 16) * 64;
    new Float32Array(memory.buffer, at, floats).forEach((_, i, all) => (all[i] = ((i * 7919) % 1000) / 1000 - 0.5));
    return at;
  };
  const [x, w, y, dx, dw] = [take(m * k), take(n * k), take(m * n), take(m * k), take(n * k)];
  const scratch = take(Math.max(exports.matmul_scratch_bytes(k), exports.matmul_grad_scratch_bytes(k)) / 4);
  const [forward, gradX, gradW] = fused
    ? [exports.matmul_f32_f32_fused, exports.matmul_f32_f32_grad_x_fused, exports.matmul_f32_grad_w_fused]
    : [exports.matmul_f32_f32, exports.matmul_f32_f32_grad_x, exports.matmul_f32_grad_w];
  return [
    { name: 'forward', run: () => forward(y, x, w, scratch, m, k, n, k, 0, n / 8) },
    { name: 'gradient of x', run: () => gradX(dx, y, w, scratch, m, n, k, k, n, 0, 0, exports.matmul_grad_x_items(k)) },
    { name: 'gradient of w', run: () => gradW(dw, y, x, scratch, m, k, n, k, 0, n / 8) },
  ];
}

export function findRates(rounds: number, builds: readonly string[]): Rate[] {
  const memory = new WebAssembly.Memory({ initial: 16 });
  const probe = instantiate('relaxed', memory);
  new Float32Array(memory.buffer, 1024, PROBE_BYTES / 4).fill(0.5);
  const rate = (operations: number, run: () => void) => {
    const times = Array.from({ length: 5 }, () => {
      const begun = performance.now();
      run();
      return performance.now() - begun;
    });
    return operations / Math.min(...times) / 1e6;
  };
  const limit = (form: number) => rate(probe.probe_float_operations() * PROBE_ITERATIONS, () => probe.probe_float(1024, PROBE_ITERATIONS, form, 0, 1));
  return SHAPES.flatMap((shape) => builds.flatMap((build) => calls(build, shape).map(({ name, run }) => {
    run();
    const found = Array.from({ length: rounds }, () => ({ separate: limit(0), fused: limit(1), rate: rate(2 * shape[0] * shape[1] * shape[2], run) }));
    const of = (pick: (round: (typeof found)[number]) => number) => median(found.map(pick));
    return { name: `${name} ${shape.join(' x ')}`, build, gflops: of((round) => round.rate), share: of((round) => round.rate / round.fused), ofSeparate: of((round) => round.rate / round.separate) };
  })));
}
