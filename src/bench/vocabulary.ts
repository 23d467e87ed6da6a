import type { MetadataValue } from '../files/types.js';
import { BYTE_LETTERS } from '../text/alphabet.js';
import { TOKEN } from '../text/spec.js';
import { below } from './random.js';

const ONSETS = ['b', 'br', 'c', 'd', 'f', 'fl', 'g', 'h', 'l', 'm', 'n', 'p', 'r', 's', 'st', 't', 'th', 'w'];
const RHYMES = ['a', 'ain', 'an', 'ay', 'e', 'ed', 'en', 'er', 'i', 'ing', 'in', 'o', 'on', 'ool', 'ou', 'un'];
const WORDS = 600;
/** What a word is written with in front: GPT-2's letter for a space. */
const SPACE = 'Ġ';

/** Words of one to three syllables, the frequent ones first. */
function words(): string[] {
  const next = below(11);
  const syllable = () => ONSETS[next(ONSETS.length)]! + RHYMES[next(RHYMES.length)]!;
  const made = Array.from({ length: WORDS }, (_, rank) => Array.from({ length: 1 + (rank > 60 ? 1 : 0) + (rank > 300 ? 1 : 0) }, syllable).join(''));
  return [...new Set(made)];
}

/** Words by Zipf's law, an unknown one now and then, full stops, digits and line breaks. */
export function benchText(length: number): string {
  const next = below(13);
  const known = words();
  const parts: string[] = [];
  for (let size = 0; size < length; size += parts.at(-1)!.length) {
    const dice = next(100);
    if (dice < 4) parts.push('.\n');
    else if (dice < 6) parts.push(` ${next(10_000)}`);
    else if (dice < 12) parts.push(` ${known[next(known.length)]!}${known[next(known.length)]!}`);
    else parts.push(` ${known[Math.floor(known.length ** (next(4096) / 4096)) - 1]!}`);
  }
  return parts.join('').slice(0, length);
}

/** Metadata of a byte-level BPE vocabulary that builds each word from its left: GGUF keys. */
export function vocabularyMetadata(): [string, MetadataValue][] {
  const tokens = BYTE_LETTERS.map((letter) => String.fromCharCode(letter));
  const known = new Set(tokens);
  const merges: string[] = [];
  for (const word of words()) {
    for (let end = 1; end <= word.length; end++) {
      const token = SPACE + word.slice(0, end);
      if (known.has(token)) continue;
      known.add(token);
      tokens.push(token);
      merges.push(`${token.slice(0, -1)} ${token.slice(-1)}`);
    }
  }
  return [
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', 'llama-bpe'],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.token_type', new Int32Array(tokens.length).fill(TOKEN.normal)],
    ['tokenizer.ggml.merges', merges],
  ];
}
