import { countNgrams, type CountedLevel, type NgramCounts } from './count.js';
import { badOption, show } from '../../files/refuse.js';
import { NgramModel } from './model.js';

/** Options of `learnNgrams`. */
export interface NgramOptions {
  /** Length of the longest n-grams. Default 5. */
  order?: number;
  /** Number of token ids. */
  vocabularySize: number;
}

/** Where a text is too small to tell: KenLM's --discount_fallback. */
const USUAL_DISCOUNTS = [0.5, 1, 1.5] as const;

/**
 * Learns an n-gram model with interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998):
 *   p(w | h) = (c(h w) - D(c(h w))) / c(h .) + backoff(h) p(w | h without its first token), down to 1 / vocabulary,
 * c being continuation counts below the highest order. `sequences`: token ids of one document each.
 * @throws StonechatError `bad-option`.
 */
export function learnNgrams(sequences: Iterable<ArrayLike<number>>, options: NgramOptions): NgramModel {
  if (typeof options !== 'object' || options === null) throw badOption('an object of options', show(options), 'Write { vocabularySize: tokenizer.size }.');
  const { order = 5, vocabularySize } = options;
  return smooth(countNgrams(sequences, order, vocabularySize));
}

function smooth({ order, vocabulary, levels }: NgramCounts): NgramModel {
  const discounts = levels.map(({ counts }) => discountsOf(counts));
  const probabilities: Float64Array[] = [];
  const backoffs: Float64Array[] = [];
  levels.forEach((level, n) => {
    const [shorter, lower] = [levels[n - 1], probabilities[n - 1]];
    const lowerOf = (node: number) => (shorter ? lower![shorter.at[level.places[node]! + 1]!]! : 1 / vocabulary);
    const contexts = shorter ? shorter.children : Uint32Array.of(0, level.size);
    probabilities.push(new Float64Array(level.size));
    backoffs.push(Float64Array.from({ length: contexts.length - 1 }, (_, context) => smoothContext(level, contexts[context]!, contexts[context + 1]!, discounts[n]!, lowerOf, probabilities[n]!)));
  });
  return new NgramModel({
    order, vocabulary, discounts,
    backoff: backoffs[0]![0]!,
    levels: levels.map(({ words, children }, n) => ({
      words: vocabulary <= 65536 ? Uint16Array.from(words) : words,
      probabilities: Float32Array.from(probabilities[n]!),
      backoffs: Float32Array.from(backoffs[n + 1] ?? []),
      children,
    })),
  });
}

/** Probabilities of the children [first, end) of one context; returns its backoff, 1 without children. */
function smoothContext({ counts }: CountedLevel, first: number, end: number, discounts: readonly number[], lowerOf: (node: number) => number, probabilities: Float64Array): number {
  let total = 0;
  let kept = 0;
  for (let node = first; node < end; node++) {
    total += counts[node]!;
    kept += discounts[Math.min(counts[node]!, 3)]!;
  }
  const backoff = total ? kept / total : 1;
  for (let node = first; node < end; node++) {
    const count = counts[node]!;
    probabilities[node] = (total ? (count - discounts[Math.min(count, 3)]!) / total : 0) + backoff * lowerOf(node);
  }
  return backoff;
}

/** Discounts of the counts 0 (nothing), 1, 2, 3 and more: how many n-grams occur once, twice, … tells. */
function discountsOf(counts: Uint32Array): number[] {
  const seen = [0, 0, 0, 0, 0];
  for (const count of counts) if (count < seen.length) seen[count]!++;
  const [, once, twice] = seen as [number, number, number];
  const share = once / (once + 2 * twice);
  const discounts = [1, 2, 3].map((i) => i - ((i + 1) * share * seen[i + 1]!) / seen[i]!);
  const usable = discounts.every((discount, i) => discount > 0 && discount <= i + 1);
  return [0, ...(usable ? discounts : USUAL_DISCOUNTS)];
}
