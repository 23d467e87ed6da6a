// What every entry of `stonechat/bench` exports, bound to its host.
import { kernelCode } from '#bench-kernels';
import { type BenchOptions, type BenchParts, runBench } from '../bench/bench.js';
import { changesSince, comparable, reading, type Baseline } from '../bench/compare.js';
import { openKernel, type OutsideKernel } from '../bench/outside.js';
import type { Report } from '../bench/report.js';
import { changeTable, limitTable, machineLine, proofLine, resultTable, type Table } from '../bench/table.js';
import { callback, checkRules, flag, isText, oneOf, refuse, show } from '../generate/rules.js';
import { compileCode } from '../host/compile.js';
import type { Build, Host } from '../host/host.js';
import { table } from './cli/format.js';
import { BUILDS } from '../kernels/instance.js';
import { createStonechat } from './load.js';
import { type Rules, source } from './rules.js';

export { baselineOf, changesSince, comparable, type Baseline, type Change } from '../bench/compare.js';
export type { BenchOptions } from '../bench/bench.js';
export type { Report } from '../bench/report.js';
export type { OutsideKernel } from '../bench/outside.js';

const written = ({ rows, right }: Table): string => table(rows, right);

/** Machine, proof, limits and results as text. */
export const reportText = (report: Report): string =>
  reading(() => [machineLine(report), proofLine(report), '', written(limitTable(report)), '', written(resultTable(report))].join('\n'));

/** What changed beyond the spread, as text. */
export function comparisonText(baseline: Baseline, report: Report): string {
  const changes = changesSince(baseline, report);
  const compared = `${comparable(baseline, report)} ratios compared`;
  return changes.length === 0 ? `${compared}: none changed beyond the spread.` : `${compared}, ${changes.length} changed beyond the spread:\n${reading(() => written(changeTable(changes)))}`;
}

/** What measures. */
export interface Bench {
  /** Proves that all builds agree, then measures. Blocks its thread: in a page, call it in a worker. */
  bench(options?: BenchOptions): Promise<Report>;
  /** One kernel to be timed from outside. */
  openKernel(kernel: string, build: Build, quick?: boolean): Promise<OutsideKernel>;
}

const listOf = (what: string, accepts: (value: unknown) => boolean, otherwise: string) =>
  ({ expected: `a list of ${what}`, accepts: (value: unknown) => Array.isArray(value) && value.every(accepts), otherwise });
const quick = flag(false);

const RULES: Rules<BenchOptions> = {
  model: source('a small one'),
  kernels: listOf('names', isText, 'all'),
  threads: listOf('numbers', (value) => typeof value === 'number', '1, and one per processor'),
  builds: listOf('builds', isText, 'all that work here'),
  quick,
  onProgress: callback,
};

/** Binds measuring to a host. */
export function createBench(host: Host, describe: BenchParts['describe']): Bench {
  const compileProbes = (build: Build, shared: boolean) => compileCode(build, () => kernelCode(build, shared));
  const parts: BenchParts = { host, compileProbes, load: createStonechat(host).load, describe };
  return {
    async bench(options = {}) {
      checkRules('bench()', options, RULES);
      return runBench(parts, options);
    },
    async openKernel(kernel, build, small) {
      if (typeof kernel !== 'string') refuse('the name of a kernel', show(kernel), 'Name it as the table does.');
      checkRules('openKernel()', { build, quick: small }, { build: oneOf(...BUILDS), quick });
      return openKernel(parts, kernel, build, small);
    },
  };
}
