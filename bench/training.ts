/**
 * One training step (forward, backward, AdamW) of the GPT of training-model.ts, beside PyTorch and engines in WASM that can train, and the
 * f32 products beneath it as shares of what one core can do. Variants take turns, round by round; medians, and half the distance of the quartiles.
 *
 *   npx esbuild bench/training.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/bench/training.mjs
 *   node24 .cache/bench/training.mjs [--threads 1,2] [--builds scalar,simd,relaxed,fused] [--rounds 5] [--torch FILE] [--rivals FOLDER] [--json]
 *
 * `fused` is the relaxed build with fusedMultiplyAdd. --torch: torch_train.py (default ../shared/peers/kernels/torch_train.py), run with
 * /usr/bin/python3 once for each number of threads; it is passed over where it cannot run. --rivals: where rivals are installed
 * (bench/peers/training.mjs); each runs in a process of its own.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import type { TrainEngine } from '../src/train/loop/engine.js';
import { findRates, type Rate } from './training-products.js';
import { GPT, gptEngine, learnOnce, randomBatch, SEQUENCES } from './training-model.js';

const { values: args } = parseArgs({
  options: {
    threads: { type: 'string', default: '1,2' }, builds: { type: 'string', default: 'scalar,simd,relaxed,fused' }, rounds: { type: 'string', default: '5' },
    torch: { type: 'string', default: '../shared/peers/kernels/torch_train.py' }, rivals: { type: 'string' }, json: { type: 'boolean' },
  },
});
const TOKENS = SEQUENCES * GPT.context;

interface Row {
  readonly name: string;
  readonly threads: number;
  readonly tokensPerSecond: number;
  readonly spread: number;
  readonly note?: string;
}

const quantile = (values: readonly number[], share: number): number => [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))]!;
const log = (text: string): void => void process.stderr.write(`${text}\n`);

/** One variant at a time in memory: an engine takes 200 MiB, and idle workers none of the time. */
async function ours(): Promise<Row[]> {
  const variants = args.threads.split(',').flatMap((threads) => args.builds.split(',').map((build) => ({ build, threads: Number(threads) })));
  const engines: { name: string; threads: number; engine: TrainEngine; step: number; rates: number[] }[] = [];
  for (const { build, threads } of variants) {
    const fused = build === 'fused';
    const engine = await gptEngine({ build: fused ? 'relaxed' : (build as 'simd'), threads, fusedMultiplyAdd: fused });
    engines.push({ name: `stonechat ${build}`, threads, engine, step: 0, rates: [] });
  }
  for (let round = -1; round < Number(args.rounds); round++) {
    for (const variant of engines) {
      const begun = performance.now();
      learnOnce(variant.engine, randomBatch(variant.engine), ++variant.step);
      if (round >= 0) variant.rates.push((TOKENS * 1000) / (performance.now() - begun));
    }
    log(`round ${round + 1} of ${args.rounds}`);
  }
  for (const { engine } of engines) engine.dispose();
  return engines.map(({ name, threads, rates }) => ({ name, threads, tokensPerSecond: quantile(rates, 0.5), spread: (quantile(rates, 0.75) - quantile(rates, 0.25)) / 2 / quantile(rates, 0.5) }));
}

interface Outside {
  readonly name: string;
  readonly tokensPerSecond: number;
  readonly note?: string;
}

/** The last line of a process is its result, as JSON. */
function outside(command: string, parameters: readonly string[], name: string): Outside | undefined {
  log(`${name} ...`);
  try {
    const lines = execFileSync(command, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 600_000 }).trim().split('\n');
    return { name, ...(JSON.parse(lines.at(-1)!) as { tokensPerSecond: number }) };
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr ?? error).trim().split('\n');
    log(`${name} did not run: ${(said.find((line) => line.includes('Error')) ?? said.at(-1))?.slice(0, 200)}`);
    return undefined;
  }
}

function beside(): Row[] {
  const found: Row[] = [];
  const add = (threads: number, result: Outside | undefined) => void (result && found.push({ ...result, threads, spread: Number.NaN }));
  for (const threads of args.threads.split(',').map(Number)) {
    if (existsSync(args.torch)) add(threads, outside('/usr/bin/python3', [args.torch, String(threads)], 'PyTorch CPU'));
    if (args.rivals !== undefined) for (const rival of ['tfjs-wasm', 'jax-js']) add(threads, outside(process.execPath, ['bench/peers/training.mjs', rival, args.rivals, String(threads)], rival));
  }
  return found;
}

function print(rows: readonly Row[], products: readonly Rate[]): void {
  console.log(`${cpus()[0]!.model}, ${cpus().length} processors, Node ${process.versions.node}, V8 ${process.versions.v8}`);
  for (const row of rows) {
    const torch = rows.find(({ name, threads }) => name.startsWith('PyTorch') && threads === row.threads);
    const alone = rows.find(({ name, threads }) => name === row.name && threads === 1);
    const ratios = [torch && `${(row.tokensPerSecond / torch.tokensPerSecond).toFixed(2)} x PyTorch`, alone && row.threads > 1 && `${(row.tokensPerSecond / alone.tokensPerSecond).toFixed(2)} x one thread`];
    const spread = Number.isNaN(row.spread) ? '' : `±${(100 * row.spread).toFixed(0)}%`;
    console.log(`${row.name.padEnd(18)} ${row.threads} thread(s) ${row.tokensPerSecond.toFixed(0).padStart(6)} tokens/s ${spread.padStart(5)}  ${ratios.filter(Boolean).join(', ')}`);
  }
  for (const { name, build, gflops, share, ofSeparate } of products) {
    console.log(`${name.padEnd(30)} ${build.padEnd(8)} ${gflops.toFixed(1).padStart(6)} GFLOP/s  ${(100 * share).toFixed(0)} % of fused multiply-add, ${(100 * ofSeparate).toFixed(0)} % of multiply, then add`);
  }
}

const products = findRates(Number(args.rounds), args.builds.split(','));
const rows = [...(await ours()), ...beside()];
if (args.json) console.log(JSON.stringify({ cpu: cpus()[0]!.model, node: process.versions.node, rows, products }));
else print(rows, products);
process.exit(0);
