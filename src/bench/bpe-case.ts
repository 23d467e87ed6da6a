import { specFromGguf } from '../text/gguf.js';
import { createTokenizer } from '../text/index.js';
import type { Case } from './cases.js';
import { benchText, vocabularyMetadata } from './vocabulary.js';

/** Encoding on one thread, in an instance of its own; words seen before come from the tokenizer's cache, as they do in use. */
export const bpeCase = (bytes: number): Case => ({
  name: `bpe, ${bytes / 1000} kB of text`,
  group: 'bpe',
  unit: 'MB/s',
  work: bytes / 1e6,
  prepare(space) {
    const { plainModule: module, build } = space.bench;
    const tokenizer = createTokenizer(specFromGguf(new Map(vocabularyMetadata())), { module, build });
    const text = benchText(bytes);
    let ids = new Int32Array();
    return {
      step: () => void (ids = Int32Array.from(tokenizer.encode(text))),
      digest: () => space.hash(space.place(ids)),
    };
  },
});
