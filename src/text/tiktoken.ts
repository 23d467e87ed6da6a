import { StonechatError } from '../errors.js';
import { StringList } from '../files/strings.js';
import { familySplitter, type FamilyName } from './patterns.js';
import { TOKEN, type AddedToken, type TokenizerSpec } from './spec.js';

interface Encoding {
  name: string;
  /** Tokens in the rank file. */
  ranks: number;
  family: FamilyName;
  special: Record<string, number>;
  bos?: string;
}

const llama3Special = (): Record<string, number> => {
  const names = ['<|begin_of_text|>', '<|end_of_text|>', 0, 1, '<|finetune_right_pad_id|>', 2, '<|start_header_id|>', '<|end_header_id|>', '<|eom_id|>', '<|eot_id|>', '<|python_tag|>'];
  const all = names.map((name) => (typeof name === 'number' ? `<|reserved_special_token_${name}|>` : name));
  for (let i = 3; all.length < 256; i++) all.push(`<|reserved_special_token_${i}|>`);
  return Object.fromEntries(all.map((name, i) => [name, 128000 + i]));
};

/** Patterns and special tokens are not in the rank files; they go by name (tiktoken, openai_public.py), else by size. */
const ENCODINGS: readonly Encoding[] = [
  { name: 'gpt2', ranks: 50256, family: 'gpt2', special: { '<|endoftext|>': 50256 } },
  { name: 'r50k_base', ranks: 50256, family: 'gpt2', special: { '<|endoftext|>': 50256 } },
  { name: 'p50k_base', ranks: 50280, family: 'gpt2', special: { '<|endoftext|>': 50256 } },
  { name: 'p50k_edit', ranks: 50280, family: 'gpt2', special: { '<|endoftext|>': 50256, '<|fim_prefix|>': 50281, '<|fim_middle|>': 50282, '<|fim_suffix|>': 50283 } },
  {
    name: 'cl100k_base', ranks: 100256, family: 'cl100k',
    special: { '<|endoftext|>': 100257, '<|fim_prefix|>': 100258, '<|fim_middle|>': 100259, '<|fim_suffix|>': 100260, '<|endofprompt|>': 100276 },
  },
  { name: 'o200k_base', ranks: 199998, family: 'o200k', special: { '<|endoftext|>': 199999, '<|endofprompt|>': 200018 } },
  { name: 'qwen', ranks: 151643, family: 'qwen2', special: { '<|endoftext|>': 151643, '<|im_start|>': 151644, '<|im_end|>': 151645 } },
  { name: 'llama3', ranks: 128000, family: 'llama3', special: llama3Special(), bos: '<|begin_of_text|>' },
];

/** Does the file look like lines of base64 token and rank? */
export const isTiktoken = (bytes: Uint8Array): boolean => /^[A-Za-z0-9+/]+={0,2} \d+\r?\n/.test(String.fromCharCode(...bytes.subarray(0, 4096)));

/** A tiktoken rank file. @throws StonechatError `bad-file`, `unsupported` for a file whose pattern is not known. */
export function specFromTiktoken(name: string, bytes: Uint8Array): TokenizerSpec {
  const { blob, starts, count } = readRanks(bytes);
  const encoding = ENCODINGS.find((known) => name.includes(known.name)) ?? ENCODINGS.find(({ ranks }) => ranks === count);
  if (!encoding) throw unknownEncoding(name, count);
  const size = Math.max(starts.length - 1, ...Object.values(encoding.special).map((id) => id + 1));
  const tokens: string[] = new Array(size).fill('');
  const types = new Uint8Array(size).fill(TOKEN.normal);
  const padded = new Uint32Array(size + 1).fill(blob.length);
  padded.set(starts);
  for (const [content, id] of Object.entries(encoding.special)) {
    tokens[id] = content;
    types[id] = TOKEN.control;
  }
  const eos = encoding.special['<|endoftext|>'] ?? encoding.special['<|end_of_text|>'];
  const bos = encoding.bos === undefined ? undefined : encoding.special[encoding.bos];
  return {
    kind: 'tiktoken',
    tokens: StringList.from(tokens),
    types,
    added: addedTokens(encoding.special),
    normalise: [],
    prefix: { when: 'never' },
    split: familySplitter(encoding.family),
    model: {
      model: 'merge', symbols: 'bytes', writing: 'bytes', tokenBytes: { blob, starts: padded },
      ignoreMerges: true, fuseUnknown: false,
    },
    before: bos === undefined ? [] : [bos],
    after: [],
    ...(bos === undefined ? {} : { bos }),
    ...(eos === undefined ? {} : { eos }),
    dropLeadingSpace: false,
  };
}

const addedTokens = (special: Record<string, number>): AddedToken[] =>
  Object.entries(special).map(([content, id]) => ({ id, content, special: true, lstrip: false, rstrip: false, singleWord: false, normalized: false }));

const MOST_TOKENS = 1 << 22;
const BASE64 = new Uint8Array(128).fill(255);
[...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].forEach((char, value) => (BASE64[char.charCodeAt(0)] = value));

/** All tokens end to end, by rank; ranks that the file skips are empty. */
function readRanks(bytes: Uint8Array): { blob: Uint8Array; starts: Uint32Array; count: number } {
  const blob = new Uint8Array(bytes.length);
  const starts: number[] = [];
  let used = 0;
  let count = 0;
  for (let at = 0; at < bytes.length; count++) {
    const from = used;
    let bits = 0;
    let held = 0;
    for (; at < bytes.length && bytes[at] !== 0x20; at++) {
      if (bytes[at] === 0x3d) continue;
      const value = BASE64[bytes[at]!] ?? 255;
      if (value === 255) throw malformed(count);
      held = (held << 6) | value;
      if ((bits += 6) >= 8) blob[used++] = held >>> (bits -= 8);
    }
    let rank = 0;
    const digits = ++at;
    for (; at < bytes.length && bytes[at]! >= 0x30 && bytes[at]! <= 0x39; at++) rank = rank * 10 + bytes[at]! - 0x30;
    if (at === digits || rank >= MOST_TOKENS || rank < starts.length || used === from) throw malformed(count);
    while (bytes[at] === 0x0d || bytes[at] === 0x0a) at++;
    while (starts.length <= rank) starts.push(from);
  }
  if (!count) throw malformed(0);
  return { blob: blob.subarray(0, used), starts: Uint32Array.from([...starts, used]), count };
}

const malformed = (line: number) =>
  new StonechatError({ code: 'bad-file', expected: 'lines of base64 token, space, rank, in the order of their ranks', found: `something else in line ${line + 1}`, remedy: 'The file is damaged or no tiktoken rank file; download it again.' });
const unknownEncoding = (name: string, count: number) =>
  new StonechatError({
    code: 'unsupported',
    expected: `a tiktoken file named after ${ENCODINGS.map((known) => known.name).join(', ')}`,
    found: `${JSON.stringify(name)} with ${count} tokens`,
    remedy: 'Rename the file after its encoding: rank files carry neither pattern nor special tokens.',
  });
