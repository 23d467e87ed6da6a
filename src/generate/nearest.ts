/** What a slip of the pen leaves alone: case, dashes, underscores. */
const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_]/g, '');

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
function distance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[from.length]![to.length]!;
}

/** The name that was probably meant, if one is close. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const wanted = plain(name).slice(0, 64);
  const most = Math.max(1, Math.floor(wanted.length / 3));
  let best: { name: string; steps: number } | undefined;
  for (const other of names) {
    const steps = distance(wanted, plain(other));
    if (steps <= most && (best === undefined || steps < best.steps)) best = { name: other, steps };
  }
  return best?.name;
}

/** " Did you mean …?" or nothing. */
export function didYouMean(name: string, names: readonly string[], write = (other: string) => other): string {
  const other = nearest(name, names);
  return other === undefined ? '' : ` Did you mean ${write(other)}?`;
}
