import { StonechatError } from '../errors.js';
import type { Figure } from './figure.js';
import type { Line } from './kernels.js';
import { variantName } from './proof.js';
import type { Machine, Report } from './report.js';

/** Ratios of a run, none of which depends on how fast the machine is: [median, lower quartile, upper quartile]. */
export interface Baseline {
  readonly schema: 1;
  readonly machine: Machine;
  readonly ratios: Readonly<Record<string, readonly [median: number, low: number, high: number]>>;
}

/** A ratio that changed beyond the spread. */
export interface Change {
  readonly ratio: string;
  readonly before: Figure;
  readonly after: Figure;
}

/** Smaller changes are nobody's business, whatever the spread says. */
const LEAST_CHANGE = 0.03;
const DIGITS = 4;
const rounded = (value: number): number => Number(value.toPrecision(DIGITS));

const sharesOf = ({ name, cells }: Line): [string, Figure][] =>
  cells.flatMap(({ build, threads, share }) => (share ? [[`${name}: ${variantName(build, threads)} of its limit`, share] as [string, Figure]] : []));

const ratiosOf = ({ name, ratios }: Line): [string, Figure][] => ratios.map(({ of, to, value }) => [`${name}: ${of} over ${to}`, value]);

const allRatios = ({ lines }: Report): [string, Figure][] => lines.flatMap((line) => [...sharesOf(line), ...ratiosOf(line)]);

/** Reads reports and baselines, which may come from a file. @throws StonechatError `bad-option` for what is none. */
export function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new StonechatError({ code: 'bad-option', expected: 'a report of bench(), or a baseline of it', found: String(cause), remedy: 'Pass what bench() gave, or the JSON of it.', cause });
  }
}

/** What of a report is kept, to compare later ones with. */
export const baselineOf = (report: Report): Baseline => reading(() => ({
  schema: 1,
  machine: report.machine,
  ratios: Object.fromEntries(allRatios(report).map(([name, { median, low, high }]) => [name, [rounded(median), rounded(low), rounded(high)] as const])),
}));

/** Ratios that moved so far that their quartiles lie apart. */
export function changesSince(baseline: Baseline, report: Report): Change[] {
  return reading(() => allRatios(report).flatMap(([ratio, after]) => {
    const old = baseline.ratios[ratio];
    if (!old) return [];
    const before = { median: old[0], low: old[1], high: old[2] };
    const apart = after.low > before.high || after.high < before.low;
    return apart && Math.abs(after.median / before.median - 1) > LEAST_CHANGE ? [{ ratio, before, after }] : [];
  }));
}

/** How many ratios of the baseline this run has measured too. */
export const comparable = (baseline: Baseline, report: Report): number => reading(() => allRatios(report).filter(([name]) => name in baseline.ratios).length);
