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
