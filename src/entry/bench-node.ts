import { cpus } from 'node:os';
import { nodeHost } from '../host/node.js';
import { type Bench, createBench } from './bench.js';

/** Deno and Bun have process.versions.node as well. */
function describe(): { cpu?: string; runtime: string } {
  const { deno, bun, node } = process.versions;
  const cpu = cpus()[0]?.model.trim();
  return { ...(cpu && { cpu }), runtime: deno ? `Deno ${deno}` : bun ? `Bun ${bun}` : `Node ${node}` };
}

export { baselineOf, changesSince, comparable, comparisonText, reportText } from './bench.js';
export type { Baseline, Bench, BenchOptions, Change, OutsideKernel, Report } from './bench.js';
const bound = createBench(nodeHost(), describe);

/** Proves that all builds agree, then measures. Blocks its thread: in a page, call it in a worker. */
export const bench: Bench['bench'] = bound.bench;

/** One kernel to be timed from outside. */
export const openKernel: Bench['openKernel'] = bound.openKernel;
