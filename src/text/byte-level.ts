import type { MetadataValue } from '../files/types.js';
import { BYTE_LETTERS } from './alphabet.js';
import { familySplitter, type FamilyName } from './patterns.js';
import { preTokenizerJson, templateJson } from './huggingface-writer.js';
import { TOKEN } from './spec.js';
import type { Scanner } from './split.js';

/** Ways to split text into words before merging, by the model family that made them known, with llama.cpp's name (`tokenizer.ggml.pre`) for each. */
const PRE_NAMES = { gpt2: 'gpt-2', digitsGpt2: 'smollm', llama3: 'smaug-bpe', qwen2: 'qwen2', o200k: 'gpt-4o' } as const satisfies Partial<Record<FamilyName, string>>;
export type SplitPattern = keyof typeof PRE_NAMES;
export const SPLIT_PATTERNS = Object.keys(PRE_NAMES) as readonly SplitPattern[];

export const scannerOf = (pattern: SplitPattern): Scanner => familySplitter(pattern).scanner!;

/** A byte-level BPE vocabulary as data: ids count the special tokens first, then the 256 bytes in the order of their letters, then what the merges form. */
export interface ByteLevelVocabulary {
  readonly specialTokens: readonly string[];
  /** In GPT-2's byte alphabet (`Ġ` for a space), strongest first. */
  readonly merges: readonly (readonly [string, string])[];
  readonly pattern: SplitPattern;
  /** One of the special tokens. */
  readonly bos?: string;
  readonly eos?: string;
  /** Encoding puts BOS in front. */
  readonly addBos: boolean;
}

/** The 256 letters as a vocabulary lists them. */
const LETTERS = BYTE_LETTERS.toSorted((a, b) => a - b).map((letter) => String.fromCharCode(letter));

/** All tokens by id. Two merges may form the same token. */
export const tokensOf = ({ specialTokens, merges }: ByteLevelVocabulary): string[] => [...specialTokens, ...new Set([...LETTERS, ...merges.map(([left, right]) => left + right)])];

/** As Hugging Face's files: tokenizer.json, and tokenizer_config.json with the roles of the special tokens. */
export function huggingFaceFiles(vocabulary: ByteLevelVocabulary): { 'tokenizer.json': string; 'tokenizer_config.json': string } {
  const { specialTokens, merges, bos, eos, addBos } = vocabulary;
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
    normalizer: null,
    pre_tokenizer: preTokenizerJson(vocabulary.pattern),
    post_processor: templateJson(addBos && bos !== undefined ? [specialTokens.indexOf(bos)] : [], [], specialTokens),
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    model: {
      type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, ignore_merges: false,
      vocab: Object.fromEntries(tokensOf(vocabulary).map((token, id) => [token, id])),
      merges,
    },
  };
  const config = { tokenizer_class: 'PreTrainedTokenizerFast', bos_token: bos, eos_token: eos, add_bos_token: addBos, add_eos_token: false, clean_up_tokenization_spaces: false };
  return { 'tokenizer.json': `${JSON.stringify(tokenizer)}\n`, 'tokenizer_config.json': `${JSON.stringify(config, null, 2)}\n` };
}

/** As GGUF metadata, by llama.cpp's rules. */
export function ggufTokenizer(vocabulary: ByteLevelVocabulary): Map<string, MetadataValue> {
  const { specialTokens, merges, pattern, bos, eos, addBos } = vocabulary;
  const tokens = tokensOf(vocabulary);
  return new Map<string, MetadataValue>([
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', PRE_NAMES[pattern]],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.token_type', Int32Array.from(tokens, (_, id) => (id < specialTokens.length ? TOKEN.control : TOKEN.normal))],
    ['tokenizer.ggml.merges', merges.map(([left, right]) => `${left} ${right}`)],
    ...(bos === undefined ? [] : [['tokenizer.ggml.bos_token_id', specialTokens.indexOf(bos)] as const]),
    ...(eos === undefined ? [] : [['tokenizer.ggml.eos_token_id', specialTokens.indexOf(eos)] as const]),
    ['tokenizer.ggml.add_bos_token', addBos && bos !== undefined],
  ]);
}
