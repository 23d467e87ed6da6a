import { browserHost } from '../host/browser.js';
import { createBench } from './bench.js';

/** Browsers do not say which processor they run on. */
function describe(): { runtime: string } {
  const agent = navigator.userAgent;
  const [name] = agent.match(/Firefox\/[\d.]+|Edg\/[\d.]+|(?:Headless)?Chrome\/[\d.]+|Version\/[\d.]+ Safari/) ?? [agent];
  return { runtime: `${name.replace('/', ' ')}, ${globalThis.crossOriginIsolated ? 'cross-origin isolated' : 'not isolated'}` };
}

export { baselineOf, changesSince, comparable, comparisonText, reportText } from './bench.js';
export type { Baseline, Bench, BenchOptions, Change, OutsideKernel, Report } from './bench.js';
export const { bench, openKernel } = createBench(browserHost(), describe);
