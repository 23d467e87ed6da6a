const BYTE_UNITS = ['bytes', 'KiB', 'MiB', 'GiB'] as const;

/** `12.3 MiB` */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${BYTE_UNITS[unit]}`;
}

/** `134,515,008` */
export const count = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 1 });

/** `1 token`, `2 tokens` */
export const several = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** `3 s`, `2 min 5 s` */
export const duration = (seconds: number): string => (seconds < 100 ? `${Math.ceil(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.ceil(seconds % 60)} s`);

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of `width` characters for 1, in steps of an eighth of a character. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.max(0, Math.min(1, share)) * width * 8);
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7]!;
}

/** Columns padded to equal width; numbers, in `right`, to the left. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => [...row[column]!].length)));
  const pad = (cell: string, column: number) => {
    const space = ' '.repeat(widths[column]! - [...cell].length);
    return right.includes(column) ? space + cell : cell + space;
  };
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

/** JSON of anything: bigints as numbers where exact, else as texts; infinities and NaN as texts. */
export const json = (value: unknown, indent?: number): string =>
  JSON.stringify(
    value,
    (_, inner: unknown) => {
      if (typeof inner === 'bigint') return inner <= Number.MAX_SAFE_INTEGER && inner >= Number.MIN_SAFE_INTEGER ? Number(inner) : String(inner);
      if (typeof inner === 'number' && !Number.isFinite(inner)) return String(inner);
      return ArrayBuffer.isView(inner) ? Array.from(inner as unknown as ArrayLike<number | bigint>) : inner;
    },
    indent,
  );
