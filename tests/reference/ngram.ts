/** Interpolated modified Kneser-Ney smoothing by its definition: sets and maps of n-grams written as text. */
export function plainNgrams(sequences: readonly (readonly number[])[], order: number, vocabulary: number): (context: readonly number[], token: number) => number {
  const counts = Array.from({ length: order + 1 }, (_, n) => countsOf(sequences, n, order));
  const discounts = counts.map(discountsOf);
  const probability = (context: readonly number[], token: number): number => {
    const n = context.length + 1;
    const lower = n === 1 ? 1 / vocabulary : probability(context.slice(1), token);
    const followers = Array.from({ length: vocabulary }, (_, next) => counts[n]!.get([...context, next].join(' ')) ?? 0);
    const total = followers.reduce((sum, count) => sum + count, 0);
    if (!total) return lower;
    const discount = (count: number) => discounts[n]![Math.min(count, 3)]!;
    const kept = followers.reduce((sum, count) => sum + discount(count), 0);
    return (followers[token]! - discount(followers[token]!) + kept * lower) / total;
  };
  return (context, token) => probability(context.slice(Math.max(0, context.length - order + 1)), token);
}

/** Counts of the n-grams of length n: occurrences in the highest order, else different tokens before them and beginnings of sequences. */
function countsOf(sequences: readonly (readonly number[])[], n: number, order: number): Map<string, number> {
  const occurrences = new Map<string, number>();
  const before = new Map<string, Set<number>>();
  const begins = new Map<string, number>();
  for (const sequence of sequences) {
    for (let at = 0; at + n <= sequence.length; at++) {
      const key = sequence.slice(at, at + n).join(' ');
      if (n > 1 || at > 0) occurrences.set(key, (occurrences.get(key) ?? 0) + 1);
      if (at > 0) before.set(key, (before.get(key) ?? new Set()).add(sequence[at - 1]!));
      else if (n > 1) begins.set(key, (begins.get(key) ?? 0) + 1);
    }
  }
  if (n === order) return occurrences;
  return new Map([...new Set([...before.keys(), ...begins.keys()])].map((key) => [key, (before.get(key)?.size ?? 0) + (begins.get(key) ?? 0)]));
}

function discountsOf(counts: ReadonlyMap<string, number>): number[] {
  const [n1, n2, n3, n4] = [1, 2, 3, 4].map((wanted) => [...counts.values()].filter((count) => count === wanted).length) as [number, number, number, number];
  const share = n1 / (n1 + 2 * n2);
  const found = [1 - (2 * share * n2) / n1, 2 - (3 * share * n3) / n2, 3 - (4 * share * n4) / n3];
  return [0, ...(found.every((discount, i) => discount > 0 && discount <= i + 1) ? found : [0.5, 1, 1.5])];
}
