/** Plain byte pair encoding: look at every pair, merge the strongest (the leftmost of equals), begin again. */
export interface Rules {
  /** Rank and result of two neighbours, undefined when they do not merge. */
  pair(left: string, right: string): { rank: number } | undefined;
}

export function mergeAll(symbols: readonly string[], { pair }: Rules): string[] {
  const out = [...symbols];
  for (;;) {
    let best = -1;
    let rank = Infinity;
    for (let i = 0; i + 1 < out.length; i++) {
      const found = pair(out[i]!, out[i + 1]!);
      if (found && found.rank < rank) [best, rank] = [i, found.rank];
    }
    if (best < 0) return out;
    out.splice(best, 2, out[best]! + out[best + 1]!);
  }
}

/** Merges by an ordered list of pairs. */
export const byList = (merges: readonly (readonly [string, string])[]): Rules => {
  const ranks = new Map(merges.map(([left, right], rank) => [`${left}\0${right}`, { rank }]).reverse() as [string, { rank: number }][]);
  return { pair: (left, right) => ranks.get(`${left}\0${right}`) };
};

/** Merges whatever makes a token, by the rank of the token. */
export const byToken = (ranks: ReadonlyMap<string, number>): Rules => ({
  pair(left, right) {
    const rank = ranks.get(left + right);
    return rank === undefined ? undefined : { rank };
  },
});
