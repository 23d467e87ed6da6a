/** Plain learning of byte pairs: count every pair of every word, merge the most frequent one, begin again. */
export interface PlainBpe {
  /** As arrays of bytes written in Latin-1. */
  merges: [string, string][];
  counts: number[];
}

const bytesOf = (word: string) => [...new TextEncoder().encode(word)].map((byte) => String.fromCharCode(byte));

/** Of pairs equally frequent the one with the greater bytes. `wanted`: how many tokens there may be beside the bytes. */
export function learnPlainly(words: Iterable<string>, wanted: number, leastCount = 1): PlainBpe {
  const counted = new Map<string, number>();
  for (const word of words) counted.set(word, (counted.get(word) ?? 0) + 1);
  const symbols = [...counted].map(([word, count]) => ({ tokens: bytesOf(word), count }));
  const merges: [string, string][] = [];
  const counts: number[] = [];
  const formed = new Set<string>();
  while (formed.size < wanted) {
    const pairs = countPairs(symbols);
    const best = pairs.size ? [...pairs.values()].reduce((a, b) => (precedes(a, b) ? a : b)) : undefined;
    if (!best || best.count < leastCount) break;
    for (const word of symbols) word.tokens = mergeWord(word.tokens, best.pair);
    formed.add(best.pair.join(''));
    if (merges.some(([left, right]) => left === best.pair[0] && right === best.pair[1])) continue;
    merges.push(best.pair);
    counts.push(best.count);
  }
  return { merges, counts };
}

interface Counted {
  pair: [string, string];
  count: number;
}

function countPairs(symbols: readonly { tokens: string[]; count: number }[]): Map<string, Counted> {
  const pairs = new Map<string, Counted>();
  for (const { tokens, count } of symbols) {
    for (let i = 0; i + 1 < tokens.length; i++) {
      const pair: [string, string] = [tokens[i]!, tokens[i + 1]!];
      const key = `${pair[0].length} ${pair.join('')}`;
      const found = pairs.get(key);
      if (found) found.count += count;
      else pairs.set(key, { pair, count });
    }
  }
  return pairs;
}

/** Latin-1 strings compare as their bytes do. */
const precedes = (a: Counted, b: Counted): boolean =>
  a.count !== b.count ? a.count > b.count : a.pair[0] !== b.pair[0] ? a.pair[0] > b.pair[0] : a.pair[1] > b.pair[1];

function mergeWord(tokens: readonly string[], [left, right]: [string, string]): string[] {
  const out: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] === left && tokens[i + 1] === right) out.push(left + tokens[++i]!);
    else out.push(tokens[i]!);
  }
  return out;
}
