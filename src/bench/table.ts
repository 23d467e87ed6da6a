import type { Change } from './compare.js';
import { type Figure, spreadOf } from './figure.js';
import type { Cell, Line } from './kernels.js';
import type { Limits } from './limits.js';
import { variantName } from './proof.js';
import type { Report } from './report.js';

/** Cells for a table, the first row its head; `right` are columns of numbers. */
export interface Table {
  readonly rows: readonly (readonly string[])[];
  readonly right: readonly number[];
}

const DIGITS = 3;
const number = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(DIGITS));
const percent = (value: number): string => `${(100 * value).toFixed(0)} %`;
const times = ({ median }: Figure): string => `${median.toFixed(median < 10 ? 2 : 1)}x`;
const withSpread = (figure: Figure): string => `${number(figure.median)} ±${Math.round(100 * spreadOf(figure))}%`;

const columns = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** One row a line and number of threads: each build's rate and share of its limit, then the ratios. */
export function resultTable({ lines, machine }: Report): Table {
  const { builds, threads } = machine;
  const least = Math.min(...threads);
  const pairs = builds.slice(1).map((build, i) => [build, builds[i]!] as const);
  const head = ['', 'unit', 'threads', ...builds.flatMap((build) => [build, 'of limit']), ...pairs.map(([of, to]) => `${of}/${to}`), `threads/${least}`];
  const rows = lines.flatMap((line) => threadsOf(line).map((count) => resultRow(line, count, builds, pairs, least)));
  return { rows: [head, ...rows], right: columns(head.length).slice(2) };
}

const threadsOf = ({ cells }: Line): number[] => [...new Set(cells.map(({ threads }) => threads))];

function resultRow({ name, unit, cells, ratios }: Line, threads: number, builds: readonly string[], pairs: readonly (readonly [string, string])[], least: number): string[] {
  const cell = (build: string): Cell | undefined => cells.find((other) => other.build === build && other.threads === threads);
  const ratio = (of: string, to: string): string => {
    const found = ratios.find((other) => other.of === of && other.to === to);
    return found ? times(found.value) : '-';
  };
  const best = [...builds].reverse().find((build) => cell(build)) ?? '';
  return [
    name,
    unit,
    String(threads),
    ...builds.flatMap((build) => {
      const found = cell(build);
      return [found ? withSpread(found.rate) : '-', found?.share ? percent(found.share.median) : '-'];
    }),
    ...pairs.map(([of, to]) => ratio(variantName(of, threads), variantName(to, threads))),
    threads === least ? '-' : ratio(variantName(best, threads), variantName(best, least)),
  ];
}

/** The machine card: what one core can do in each build. */
export function limitTable({ machine }: Report): Table {
  const head = ['one core', 'f32 GFLOP/s', 'by', 'int8 GOP/s', 'by', 'memory GB/s', 'L2 GB/s', 'relaxed dot, top bit'];
  const row = ({ build, float, integer, memory, l2, relaxedDot }: Limits) => [build, number(float.gflops), float.form, number(integer.gops), integer.form, number(memory), number(l2), relaxedDot ?? '-'];
  return { rows: [head, ...machine.limits.map(row)], right: [1, 3, 5, 6] };
}

export function machineLine({ machine, quick, model }: Report): string {
  const { cpu, processors, runtime, threads } = machine;
  const parts = [cpu, `${processors} processor${processors === 1 ? '' : 's'}`, runtime, `threads ${threads.join(', ')}`, `model ${model ?? 'none'}`, quick && 'quick: small sizes, few rounds, no figures to quote'];
  return parts.filter(Boolean).join('; ');
}

export function proofLine({ proof }: Report): string {
  const model = proof.logitsHash ? `, and the same logits (${proof.logitsHash})` : '';
  return `The same bits from ${proof.kernels} kernels${model} on ${proof.variants.join(', ')}.`;
}

export function changeTable(changes: readonly Change[]): Table {
  const figure = ({ median, low, high }: Figure) => `${median.toPrecision(DIGITS)} (${low.toPrecision(DIGITS)} … ${high.toPrecision(DIGITS)})`;
  const rows = changes.map(({ ratio, before, after }) => [ratio, figure(before), figure(after), `${after.median > before.median ? '+' : ''}${percent(after.median / before.median - 1)}`]);
  return { rows: [['ratio', 'before', 'now', 'change'], ...rows], right: [1, 2, 3] };
}
