import { badOption } from '../../files/refuse.js';

/** Rows that are computed at a time: enough to keep the kernels busy, few enough to stay in a few hundred MiB. */
export const MOST_ROWS = 2048;

const divisors = (count: number): number[] => Array.from({ length: count }, (_, i) => count - i).filter((part) => count % part === 0);

export const clamp = (value: number, least: number, most: number): number => Math.max(least, Math.min(most, value));

/** How many sequences (of so many rows) of a batch are computed at a time, where it is not asked for. @throws StonechatError `bad-option`. */
export function partsOf(batch: number, rows: number, asked: number | undefined): { batch: number; microBatch: number } {
  const microBatch = asked ?? divisors(batch).find((part) => part * rows <= MOST_ROWS) ?? 1;
  if (batch % microBatch !== 0) throw badOption('batch to be a multiple of microBatch', `${batch} and ${microBatch}`, `Use microBatch ${divisors(batch).find((part) => part <= microBatch)}.`);
  return { batch, microBatch };
}
