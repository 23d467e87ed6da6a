import { edgeHost } from '../host/edge.js';
import { createBench } from './bench.js';

export * from './bench.js';
/** Clocks of edge functions stand still while they compute: there `openKernel` is for a clock outside. */
export const { bench, openKernel } = createBench(edgeHost(), () => ({ runtime: globalThis.navigator?.userAgent ?? 'an edge function' }));
