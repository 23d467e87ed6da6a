import { describe, expect, it } from 'vitest';
import { benchCases, type BenchParts, runBench, selectCases } from '../../src/bench/bench.js';
import { type Baseline, baselineOf, changesSince } from '../../src/bench/compare.js';
import type { Report } from '../../src/bench/report.js';
import { limitTable, resultTable } from '../../src/bench/table.js';
import { openWorkbench, Space, type Workbench } from '../../src/bench/workbench.js';
import { kernelCode } from '#bench-kernels';
import { createStonechat } from '../../src/entry/load.js';
import { compileCode } from '../../src/host/compile.js';
import { nodeHost } from '../../src/host/node.js';

const host = nodeHost();
const parts: BenchParts = {
  host,
  compileProbes: (build, shared) => compileCode(build, () => kernelCode(build, shared)),
  load: createStonechat(host).load,
  describe: () => ({ runtime: 'vitest' }),
};
const COUNTS = [1, 2];
const variants = host.builds.toReversed().flatMap((build) => COUNTS.map((threads) => `${build} x ${threads}`));

/** The kernels of one build with one of them changed. */
const breaking =
  (broken: string, name: 'rmsnorm_f32' | 'matmul_q8_q4_0', spoil: (on: Workbench, y: number) => void): typeof openWorkbench =>
  async (...args) => {
    const on = await openWorkbench(...args);
    if (on.build !== broken) return on;
    const right = on.kernels.exports[name] as (...values: number[]) => void;
    const wrong = (...values: number[]) => {
      right(...values);
      spoil(on, values[0]!);
    };
    return { ...on, kernels: { ...on.kernels, exports: { ...on.kernels.exports, [name]: wrong } } };
  };

/** The smallest change that there is. */
const lastBit = ({ kernels }: Workbench, y: number) => {
  new Uint32Array(kernels.memory.buffer, y, 1)[0]! ^= 1;
};

describe('a run', () => {
  let whole: Promise<Report> | undefined;
  const KERNELS = ['q4_0', 'attention f32', 'rmsnorm', 'quantize', 'bpe', 'model'];
  const run = () => (whole ??= runBench(parts, { quick: true, threads: COUNTS, kernels: KERNELS }));

  it('proves, measures all builds and threads, and gives JSON of a stable shape', async () => {
    const report = JSON.parse(JSON.stringify(await run())) as Report;
    expect(Object.keys(report).sort()).toEqual(['lines', 'machine', 'model', 'proof', 'quick', 'schema']);
    expect(report).toMatchObject({
      schema: 1, quick: true, model: 'synthetic',
      machine: { runtime: 'vitest', processors: host.processors, builds: host.builds.toReversed(), threads: COUNTS },
      proof: { kernels: expect.any(Number), variants, disagreements: [], logitsHash: expect.stringMatching(/^[0-9a-f]{16}$/) },
    });
    for (const limit of report.machine.limits) {
      expect(limit).toMatchObject({ build: expect.any(String), float: { form: expect.any(String) }, integer: { form: expect.any(String) } });
      for (const rate of [limit.float.gflops, limit.integer.gops, limit.memory, limit.l2]) expect(rate).toBeGreaterThan(0);
    }
    for (const line of report.lines) {
      expect(Object.keys(line).filter((key) => key !== 'limit').sort()).toEqual(['cells', 'group', 'name', 'ratios', 'unit']);
      expect(line.cells.map(({ build, threads }) => `${build} x ${threads}`), line.name).toEqual(line.group === 'bpe' ? variants.filter((name) => name.endsWith(' 1')) : variants);
      for (const { rate, share } of line.cells) {
        expect(rate.low).toBeGreaterThan(0);
        expect(rate.high).toBeGreaterThanOrEqual(rate.median);
        expect(share !== undefined).toBe(line.limit !== undefined);
      }
    }
    expect(report.lines.map(({ name }) => name)).toEqual([...selectCases(benchCases(host, true), KERNELS).map(({ name }) => name), 'prefill 16', 'decode 4']);
  }, 120_000);

  it('compares builds with the next slower one and threads with one', async () => {
    const { lines } = await run();
    const pairs = (name: string) => lines.find((line) => line.name === name)!.ratios.map(({ of, to }) => `${of} / ${to}`);
    const slower = host.builds.length - 1;
    expect(pairs('gemm q4_0, 16 tokens')).toHaveLength(2 * slower + host.builds.length);
    expect(pairs('gemm q4_0, 16 tokens')).toContain('simd x 2 / scalar x 2');
    expect(pairs('gemm q4_0, 16 tokens')).toContain('simd x 2 / simd x 1');
  });

  it('is printed in tables of equal rows', async () => {
    const report = await run();
    for (const { rows } of [resultTable(report), limitTable(report)]) expect(new Set(rows.map((row) => row.length)).size).toBe(1);
    expect(resultTable(report).rows).toHaveLength(1 + report.lines.reduce((sum, { group }) => sum + (group === 'bpe' ? 1 : 2), 0));
  });

  it('gives a baseline that differs from itself in nothing, and from another where the quartiles lie apart', async () => {
    const report = await run();
    const baseline = JSON.parse(JSON.stringify(baselineOf(report))) as Baseline;
    expect(changesSince(baseline, report)).toEqual([]);
    const [name, [median, low, high]] = Object.entries(baseline.ratios)[0]!;
    const before = (factor: number): Baseline => ({ ...baseline, ratios: { [name]: [median * factor, low * factor, high * factor] } });
    const apart = (2 * high) / low;
    expect(changesSince(before(apart), report).map(({ ratio }) => ratio)).toEqual([name]);
    expect(changesSince(before(1 / apart), report).map(({ ratio }) => ratio)).toEqual([name]);
    expect(changesSince(before(1.01), report)).toEqual([]);
  });
});

describe('the proof', () => {
  const broken = async (build: string, name: Parameters<typeof breaking>[1], spoil: Parameters<typeof breaking>[2]) =>
    runBench({ ...parts, openWorkbench: breaking(build, name, spoil) }, { quick: true, threads: [1], kernels: ['rope'] });

  it.each([
    ['rmsnorm_f32', 'rmsnorm, 7 x 256'],
    ['matmul_q8_q4_0', 'gemm q4_0, 7 tokens'],
  ] as const)('fails when %s of one build is wrong in its last bit', async (name, kernel) => {
    await expect(broken('simd', name, lastBit)).rejects.toMatchObject({ name: 'StonechatError', code: 'unavailable', expected: expect.stringContaining(kernel) });
  });

  it('passes when nothing is', async () => {
    const { proof } = await broken('simd', 'rmsnorm_f32', () => {});
    expect(proof.disagreements).toEqual([]);
  });
});

describe('options', () => {
  it.each([
    [{ kernels: ['nothing'] }, 'bad-option'],
    [{ threads: [0] }, 'bad-option'],
    [{ threads: [] }, 'bad-option'],
    [{ builds: ['turbo' as 'simd'] }, 'unavailable'],
  ])('%j: %s', async (options, code) => {
    await expect(runBench(parts, { quick: true, ...options })).rejects.toMatchObject({ name: 'StonechatError', code });
  });

  it('a file that is no model is refused before any kernel is measured', async () => {
    const steps: string[] = [];
    const bad = runBench(parts, { quick: true, threads: [1], model: new TextEncoder().encode('not a model'), onProgress: (step) => void steps.push(step) });
    await expect(bad).rejects.toMatchObject({ name: 'StonechatError', code: 'bad-file' });
    expect(steps.filter((step) => step.startsWith('gemm'))).toEqual([]);
  });
});

describe('every kernel that generation calls often', () => {
  /** Called once a prompt, once a token, or while loading; or a twin of one that has a line. */
  const WITHOUT_LINE =
    /^(build_kind|barrier|packed_bytes_|repack_|q8_row_bytes|embed_|matmul_scratch_bytes|matmul_f32_(q|\w+_K)|exp_f64|log_f64|layernorm_|add_f32|(silu|gelu|gelu_erf|tanh)_f32|gelu_mul|probabilities_|rope_(frequencies|attention_factor|angles)|kv_|attention_(tile_rows|scratch_bytes)|gather_rows_|argmax_|topk_|logits_stats_|hash_words|text_|probe_)/;

  it('is found by its group or a part of its name, in the order of the table', () => {
    const names = (wanted: string[]) => selectCases(benchCases(host, true), wanted).map(({ name }) => name);
    expect(names(['rope', 'gemv q6_K'])).toEqual(['gemv q6_K', 'rope, 16 x 2048']);
    expect(names(['model'])).toEqual([]);
  });

  it('batches are measured where they are named, and not else', () => {
    const names = (wanted?: string[]) => selectCases(benchCases(host, true), wanted).map(({ name }) => name);
    expect(names(['batch']).length).toBe(11);
    expect(names(['batch q4_0'])).toEqual(['batch q4_0, 8 rows']);
    expect(names(['q4_0']).filter((name) => name.startsWith('batch'))).toEqual([]);
    expect(names().filter((name) => name.startsWith('batch'))).toEqual([]);
  });

  it('has a line, or a reason to have none', async () => {
    const on = await openWorkbench(host, 'simd', false, parts.compileProbes);
    const steps = benchCases(host, true).map((each) => each.prepare(new Space(on), 1).step);
    const kernels = new Set(steps.flatMap((step) => (typeof step === 'function' ? [] : [step.kernel as string])));
    const exported = Object.entries(on.kernels.exports).filter(([name, value]) => typeof value === 'function' && !name.startsWith('__')).map(([name]) => name);
    expect(exported.filter((name) => !kernels.has(name) && !WITHOUT_LINE.test(name))).toEqual([]);
  });
});
