// Tables of what run.mjs keeps: ours over theirs, beside the goals.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { F32_GOAL, GOALS, KERNEL_GOALS } from './goals.mjs';

const MIB = 2 ** 20;

export function median(values) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  return sorted.length ? (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2 : NaN;
}

const number = (value) => (Number.isFinite(value) ? (value >= 100 ? value.toFixed(0) : value.toPrecision(3)) : '-');
/** Ratio and goal; a missed goal is set off. */
const against = (ratio, goal) => (!Number.isFinite(ratio) ? '-' : ratio >= goal ? `${ratio.toFixed(2)}x (${goal}x)` : `**${ratio.toFixed(2)}x** (${goal}x)`);

function printTable(head, rows, textColumns = 1) {
  console.log(`| ${head.join(' | ')} |\n|${head.map((_, i) => (i < textColumns ? '---' : '---:')).join('|')}|`);
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
  console.log();
}

/** Only within a section: there engines took turns. */
function figuresOf(kept, section, peer, model, threads) {
  const starts = (kept.starts[section]?.[`${peer} ${model} ${threads}`] ?? []).filter(({ error }) => !error);
  const of = (key) => median(starts.flatMap(({ samples }) => samples.map((sample) => sample[key])));
  const all = (key) => median(starts.map((start) => start[key]));
  const spread = starts.map(({ samples }) => samples[0].tg64);
  return {
    starts: starts.length, pp128: of('pp128'), pp512: of('pp512'), tg64: of('tg64'), first: all('firstTokenMs'), peak: all('peakBytes'), foreign: all('foreign'),
    spread: (Math.max(...spread) - Math.min(...spread)) / 2 / median(spread),
  };
}

const named = (peer, threads) => (threads > 1 ? `${peer}, ${threads} threads` : peer);

function printRatios(kept, goals) {
  const rows = goals.flatMap(({ section, model, ours, theirs, prefill, decode, oursThreads, theirsThreads }) => {
    const [a, b] = [figuresOf(kept, section, ours, model, oursThreads), figuresOf(kept, section, theirs, model, theirsThreads)];
    if (!a.starts || !b.starts) return [];
    const ratios = [against(a.pp128 / b.pp128, prefill), against(a.pp512 / b.pp512, prefill), against(a.tg64 / b.tg64, decode), `${(a.first / b.first).toFixed(2)}x`, `${(a.peak / b.peak).toFixed(2)}x`];
    return [[model, named(ours, oursThreads), named(theirs, theirsThreads), ...ratios]];
  });
  if (rows.length === 0) return;
  console.log('Ours over theirs (goal); bold: missed.\n');
  printTable(['model', 'ours', 'theirs', 'prefill 128', 'prefill 512', 'decode 64', 'first token', 'peak memory'], rows, 3);
}

function printFigures(kept, goals) {
  const keys = [...new Set(goals.flatMap(({ section, model, ours, theirs, oursThreads, theirsThreads }) => [`${section} ${model} ${ours} ${oursThreads}`, `${section} ${model} ${theirs} ${theirsThreads}`]))];
  const rows = keys.flatMap((key) => {
    const [section, model, peer, threads] = key.split(' ');
    const figures = figuresOf(kept, section, peer, model, Number(threads));
    if (!figures.starts) return [];
    const { pp128, pp512, tg64, first, peak, starts, spread, foreign } = figures;
    return [[model, peer, threads, number(pp128), number(pp512), `${number(tg64)} ±${(100 * spread).toFixed(0)}%`, number(first), number(peak / MIB), starts, foreign.toFixed(2)]];
  });
  if (rows.length === 0) return;
  console.log('Tokens/s, medians of the starts; first token in ms from the start of the process or page; `foreign`: cores that other programs took, above 0.1 disturbed.\n');
  printTable(['model', 'engine', 'threads', 'prefill 128', 'prefill 512', 'decode 64', 'first token', 'peak MiB', 'starts', 'foreign'], rows, 2);
}

/** Peak memory of Node beside the goal for Q4_0: 1.25 x the file and the KV cache. */
function printMemory(kept, goals, peers) {
  const index = JSON.parse(readFileSync(join(peers, 'models/index.json'), 'utf8'));
  const native = goals.filter(({ ours, oursThreads }) => ours === 'stonechat' && oursThreads === 1);
  const rows = native.flatMap(({ section, model }) => {
    const start = kept.starts[section]?.[`stonechat ${model} 1`]?.find(({ info }) => info?.kvBytes);
    if (!start) return [];
    const { peak } = figuresOf(kept, section, 'stonechat', model, 1);
    const { bytes } = index[model];
    const limit = 1.25 * bytes + start.info.kvBytes;
    return [[model, number(bytes / MIB), number(start.info.kvBytes / MIB), number(start.info.baseBytes / MIB), number(peak / MIB), number(limit / MIB), peak <= limit ? 'yes' : '**no**', peak - start.info.baseBytes <= limit ? 'yes' : '**no**']];
  });
  if (rows.length === 0) return;
  console.log('Memory in Node, MiB; the limit is 1.25 x file + KV cache (f32, 1,024 tokens).\n');
  printTable(['model', 'file', 'KV cache', 'Node before loading', 'peak', 'limit', 'peak below it', 'without Node'], rows);
}

function printGgml({ rows }) {
  const of = (figures, build, goal) => (figures ? [number(figures.ggml), number(figures[build]), against(figures[`${build}Ratio`], goal)] : ['-', '-', '-']);
  console.log("ggml's own WebAssembly kernels (clang -O3 -msimd128), 2048 x 2048, one thread; ratios are medians of rounds.\n");
  const head = ['type', 'build', 'GEMM 512: ggml GOP/s', 'ours', 'ratio (goal)', 'GEMV: ggml Gweights/s', 'ours', 'ratio (goal)'];
  printTable(head, rows.flatMap(({ type, gemm, gemv }) => {
    const goals = KERNEL_GOALS.find((goal) => goal.type === type);
    return ['relaxed', 'simd'].map((build) => [type, build].concat(of(gemm, build, goals.gemm), of(goals.gemv && gemv, build, goals.gemv)));
  }), 2);
}

function printF32({ ours, rivals }) {
  console.log(`f32 product, 512 tokens x 2048 x 2048, Chromium, one thread (goal ${F32_GOAL}x).\n`);
  const rows = rivals.flatMap(({ name, gflops }) => ours.map((own) => [name, number(gflops), own.build, number(own.gflops), against(own.gflops / gflops, F32_GOAL)]));
  printTable(['rival', 'GFLOP/s', 'our build', 'GFLOP/s', 'ratio (goal)'], rows);
}

export function report(kept, sections, peers) {
  const { cpu, processors, runtime } = kept.machine;
  console.log(`${cpu}, ${processors} processors, ${runtime}; ${new Date().toISOString().slice(0, 10)}\n`);
  const goals = GOALS.filter(({ section }) => sections.includes(section));
  printRatios(kept, goals);
  printFigures(kept, goals);
  printMemory(kept, goals, peers);
  if (sections.includes('kernels-ggml') && kept.kernels['kernels-ggml']) printGgml(kept.kernels['kernels-ggml']);
  if (sections.includes('kernels-f32') && kept.kernels['kernels-f32']) printF32(kept.kernels['kernels-f32']);
}
