import { Random } from '../../src/train/data/random.js';

const BIRDS = ['robin', 'wren', 'owl', 'stonechat', 'blackbird', 'heron'];
const PLACES = ['on the wall', 'in the old tree', 'by the river', 'under the roof', 'near the sea'];
const DEEDS = ['sang all morning', 'looked for worms', 'slept', 'waited for the rain', 'built a nest', 'counted the clouds'];

/** So many seeded stories about birds: regular enough to be learnt in a few steps. */
export function birdCorpus(count: number, seed = 1): string[] {
  const random = new Random(seed);
  const one = (words: readonly string[]) => words[random.below(words.length)]!;
  const sentence = () => `The ${one(BIRDS)} ${one(DEEDS)} ${one(PLACES)}.`;
  return Array.from({ length: count }, () => Array.from({ length: 2 + random.below(4) }, sentence).join(' '));
}
