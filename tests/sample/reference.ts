// Plain f64 twins of the samplers, on whole arrays: entry i is the logit of id i, -Infinity means dropped.

export function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((x) => Math.exp(x - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / sum);
}

const byKey = (logits: readonly number[], key: (id: number) => number): number[] =>
  logits.map((_, id) => id).filter((id) => logits[id]! > -Infinity).sort((a, b) => key(a) - key(b) || a - b);

const only = (logits: readonly number[], ids: readonly number[]): number[] => {
  const kept = new Set(ids);
  return logits.map((x, id) => (kept.has(id) ? x : -Infinity));
};

/** The first of `ids` until their probabilities exceed p. */
function until(ids: readonly number[], probabilities: readonly number[], p: number): number[] {
  let sum = 0;
  const end = ids.findIndex((id) => (sum += probabilities[id]!) > p);
  return end < 0 ? [...ids] : ids.slice(0, end + 1);
}

export const topK = (logits: readonly number[], k: number): number[] => only(logits, byKey(logits, (id) => -logits[id]!).slice(0, k));

export function topP(logits: readonly number[], p: number): number[] {
  return only(logits, until(byKey(logits, (id) => -logits[id]!), softmax(logits), p));
}

export function minP(logits: readonly number[], p: number): number[] {
  const probabilities = softmax(logits);
  const least = p * Math.max(...probabilities);
  return logits.map((x, id) => (probabilities[id]! >= least ? x : -Infinity));
}

export function typicalP(logits: readonly number[], p: number): number[] {
  const probabilities = softmax(logits);
  const entropy = probabilities.reduce((sum, q) => (q > 0 ? sum - q * Math.log(q) : sum), 0);
  return only(logits, until(byKey(logits, (id) => Math.abs(-Math.log(probabilities[id]!) - entropy)), probabilities, p));
}

export const temperature = (logits: readonly number[], t: number): number[] => logits.map((x) => x / t);

export function penalties(logits: readonly number[], recent: readonly number[], repetition: number, presence: number, frequency: number): number[] {
  return logits.map((x, id) => {
    const count = recent.filter((other) => other === id).length;
    if (count === 0) return x;
    return (x > 0 ? x / repetition : x * repetition) - count * frequency - presence;
  });
}

/** xorshift64* in BigInt. */
export function* xorshift(seed: bigint): Generator<number> {
  const mask = (1n << 64n) - 1n;
  for (let x = seed; ; ) {
    x ^= x >> 12n;
    x = (x ^ (x << 25n)) & mask;
    x ^= x >> 27n;
    yield Number((((x * 0x2545f4914f6cdd1dn) & mask) >> 32n) & 0xffffffffn);
  }
}

export function topNSigma(logits: readonly number[], n: number): number[] {
  const there = logits.filter((x) => x > -Infinity);
  const mean = there.reduce((sum, x) => sum + x, 0) / there.length;
  const sigma = Math.sqrt(there.reduce((sum, x) => sum + (x - mean) ** 2, 0) / there.length);
  return logits.map((x) => (x >= Math.max(...there) - n * sigma ? x : -Infinity));
}

/** XTC, where its coin says that it acts. */
export function xtc(logits: readonly number[], threshold: number): number[] {
  const probabilities = softmax(logits);
  const top = byKey(logits, (id) => -probabilities[id]!).filter((id) => probabilities[id]! >= threshold);
  return logits.map((x, id) => (top.slice(0, -1).includes(id) ? -Infinity : x));
}

export function dynamicTemperature(logits: readonly number[], middle: number, range: number, exponent: number): number[] {
  const entropy = softmax(logits).reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
  const lowest = Math.max(0, middle - range);
  return temperature(logits, lowest + (middle + range - lowest) * (entropy / Math.log(logits.length)) ** exponent);
}

/** Of mirostat 2: what is not more surprising than the bound, the likeliest at least. */
export function boundSurprise(logits: readonly number[], bound: number): number[] {
  const probabilities = softmax(logits);
  const kept = byKey(logits, (id) => -probabilities[id]!).filter((id, rank) => rank === 0 || -Math.log2(probabilities[id]!) <= bound);
  return only(logits, kept);
}

/** Of DRY, by the definition: `breakers` are sequences of ids. Penalties by id. */
export function dry(
  ids: readonly number[],
  { multiplier, base, allowedLength, breakers }: { multiplier: number; base: number; allowedLength: number; breakers: readonly (readonly number[])[] },
): Map<number, number> {
  const endsAt = (end: number, breaker: readonly number[]) => end >= breaker.length && breaker.every((id, i) => ids[end - breaker.length + i] === id);
  // No repetition reaches over the latest breaker: the one whose first token is latest.
  let start = 0;
  for (let first = ids.length - 1; first >= 0 && start === 0; first--) {
    const there = breakers.filter((breaker) => breaker[0] === ids[first] && endsAt(first + breaker.length, breaker));
    if (there.length > 0) start = first + Math.max(...there.map((breaker) => breaker.length));
  }
  const penalties = new Map<number, number>();
  if (ids.length <= allowedLength || ids.length - start < allowedLength) return penalties;
  for (let end = 1; end < ids.length; end++) {
    let length = 0;
    while (length < ids.length - start && end - length > 0 && ids[end - 1 - length] === ids[ids.length - 1 - length]) length++;
    const id = ids[end]!;
    if (length < allowedLength || breakers.some((breaker) => breaker.length === 1 && breaker[0] === id)) continue;
    penalties.set(id, Math.max(penalties.get(id) ?? 0, multiplier * base ** (length - allowedLength)));
  }
  return penalties;
}
