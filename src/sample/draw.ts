import type { Candidates } from './candidates.js';
import type { Xorshift64Star } from './random.js';

/** Draws a position by its probability: the first whose running sum exceeds a uniform number times the mass. */
export function draw(candidates: Candidates, random: Xorshift64Star): number {
  candidates.softmax();
  const { probabilities, size, mass } = candidates;
  const coin = random.float() * mass;
  let sum = 0;
  let last = 0;
  for (let i = 0; i < size; i++) {
    if (!(probabilities[i]! > 0)) continue;
    sum += probabilities[i]!;
    last = i;
    if (coin < sum) break;
  }
  return last;
}
