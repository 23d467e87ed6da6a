import { edgeHost } from '../host/edge.js';
import { createBench } from './bench.js';

export { baselineOf, changesSince, comparable, comparisonText, reportText } from './bench.js';
export type { Baseline, Bench, BenchOptions, Change, OutsideKernel, Report } from './bench.js';
/** Clocks of edge functions stand still while they compute: there `openKernel` is for a clock outside. */
export const { bench, openKernel } = createBench(edgeHost(), () => ({ runtime: globalThis.navigator?.userAgent ?? 'an edge function' }));
