import { StonechatError } from '../errors.js';
import { compilePattern, type Pattern } from './regex.js';
import { cut, SCAN, SCAN_FLAG, type Scanner, type Splitter, type Step } from './split.js';

/**
 * Pre-tokenizer patterns of model families, as the families' own tokenizer files write them. A list is applied in
 * order: each pattern cuts the pieces that the one before left. Sources: the tokenizer.json files, OpenAI's tiktoken
 * (openai_public.py) and, where a family has no such file, llama.cpp (llama-vocab.cpp).
 */
const CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const LAST_SPACES = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;
const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const CL100K = String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`;
const LLAMA3 = String.raw`${CONTRACTION}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|${LAST_SPACES}`;
const QWEN2 = LLAMA3.replace('{1,3}', '');
const QWEN35 = String.raw`${CONTRACTION}|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|${LAST_SPACES}`;
const HEAD = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
const TAIL = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
const cased = (suffix: string) => String.raw`[^\r\n\p{L}\p{N}]?${HEAD}*${TAIL}+${suffix}|[^\r\n\p{L}\p{N}]?${HEAD}+${TAIL}*${suffix}`;
const O200K = String.raw`${cased(`${CONTRACTION}?`)}|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${LAST_SPACES}`;
const TEKKEN = String.raw`${cased('')}|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${LAST_SPACES}`;
const YOUTU = O200K.replace('{1,3}', '');
const PUNCTUATED = String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_${'`'}{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|${LAST_SPACES}`;
/** DeepSeek's cased letters: code points and ranges, hexadecimal (an editor's normalisation would change the letters). */
const DEEPSEEK_RANGES =
  '41-5a 61-7a b5 c0-d6 d8-f6 f8-1ba 1bc-1bf 1c4-293 295-2af 370-373 376 377 37b-37d 37f 386 388-38a 38c 38e-3a1 ' +
  '3a3-3f5 3f7-481 48a-52f 531-556 10a0-10c5 13a0-13f5 13f8-13fd 1c90-1cba 1cbd-1cbf 1d00-1d2b 1d6b-1d77 1d79-1d9a ' +
  '1e00-1f15 1f18-1f1d 1f20-1f45 1f48-1f4d 1f50-1f57 1f59 1f5b 1f5d 1f5f-1f7d 1f80-1fb4 1fb6-1fbc 1fbe 1fc2-1fc4 ' +
  '1fc6-1fcc 1fd0-1fd3 1fd6-1fdb 1fe0-1fec 1ff2-1ff4 1ff6-1ffc 2102 2107 210a-2113 2115 2119-211d 2124 2126 2128 ' +
  '212a-212d 212f-2134 2139 213c-213f 2145-2149 214e 2183 2184 2c00-2c7b 2c7e-2ce4 2ceb-2cee 2cf2 2cf3 a640-a66d ' +
  'a680-a69b a722-a76f a771-a787 a78b-a78e ab70-abbf fb00-fb06 fb13-fb17 ff21-ff3a ff41-ff5a 10400-1044f ' +
  '104b0-104d3 104d8-104fb 10c80-10cb2 10cc0-10cf2 118a0-118df 1e900-1e943';
const DEEPSEEK_LETTERS = `[${DEEPSEEK_RANGES.replace(/[0-9a-f]+/g, '\\u{$&}').replaceAll(' ', '')}]`;
const CJK = '[\\u4e00-\\u9fa5\\u0800-\\u4e00\\uac00-\\ud7ff]+';
const CJK3 = '[\\u4e00-\\u9fa5\\u3040-\\u309f\\u30a0-\\u30ff]+';
const BLOOM = ' ?[^(\\s|.,!?…。，、।۔،)]+';
const KIMI = String.raw`[\p{Han}]+|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})${HEAD})*(?:(?!\p{Han})${TAIL})+${CONTRACTION}?|[^\r\n\p{L}\p{N}]?(?:(?!\p{Han})${HEAD})+(?:(?!\p{Han})${TAIL})*${CONTRACTION}?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|${LAST_SPACES}`;

interface Family {
  patterns: readonly (string | Step)[];
  scanner?: Scanner;
}

/**
 * Cuts runs of digits into threes from their end. As patterns, these would look ahead to the end from every place:
 *   SuperBPE  (?=(\d{3})+(?!\d))          cuts in front of each three
 *   Tiny Aya  \d{1,3}(?=(?:\d{3})*\b)    isolates threes and what is left at the front, unless a letter follows the run
 */
const threes = (isolate: boolean): Step => (piece) => {
  const cuts = [0];
  const runs = compiled(isolate ? `(?<!\\p{Nd})\\p{Nd}++(?!${WORD})` : '\\p{Nd}+').spans(piece);
  for (let run = 0; run < runs.length; run += 2) {
    const [index, end] = [runs[run]!, runs[run + 1]!];
    if (isolate) cuts.push(index);
    const digits = Array.from(piece.slice(index, end));
    for (let i = 0, at = index; i < digits.length; at += digits[i++]!.length) if ((digits.length - i) % 3 === 0) cuts.push(at);
    if (isolate) cuts.push(end);
  }
  return cuts.map((at, i) => piece.slice(at, cuts[i + 1])).filter((part) => part);
};
const WORD = '[\\p{Alphabetic}\\p{M}\\p{Pc}\\u200c\\u200d]';

const FAMILIES = {
  default: { patterns: [String.raw`[\p{P}$+<=>^~|]+`, GPT2, String.raw`\p{N}+`, '[0-9][0-9][0-9]'] },
  gpt2: { patterns: [GPT2], scanner: { number: SCAN.gpt2, flags: 0 } },
  digitsGpt2: { patterns: [String.raw`\p{N}`, GPT2], scanner: { number: SCAN.gpt2, flags: SCAN_FLAG.isolatedDigits } },
  cl100k: { patterns: [CL100K], scanner: { number: SCAN.cl100k, flags: SCAN_FLAG.tailSpaces } },
  llama3: { patterns: [LLAMA3], scanner: { number: SCAN.cl100k, flags: 0 } },
  qwen2: { patterns: [QWEN2], scanner: { number: SCAN.cl100k, flags: SCAN_FLAG.singleDigits } },
  o200k: { patterns: [O200K], scanner: { number: SCAN.o200k, flags: 0 } },
  qwen35: { patterns: [QWEN35] },
  tekken: { patterns: [TEKKEN] },
  deepseekLlm: { patterns: ['[\\r\\n]', `\\s?${DEEPSEEK_LETTERS}+`, '\\s?[!-/:-~！-／：-～‘-‟　-。]+', '\\s+$', CJK, '\\p{N}+'] },
  deepseekCoder: { patterns: ['[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', CJK, '\\p{N}'] },
  deepseek3: { patterns: ['\\p{N}{1,3}', CJK3, PUNCTUATED] },
  youtu: { patterns: ['[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+', YOUTU] },
  falcon: { patterns: ['[\\p{P}$+<=>^~|`]+', GPT2, '[0-9][0-9][0-9]'] },
  bloom: { patterns: [BLOOM] },
  viking: { patterns: [BLOOM, '\\p{N}'] },
  chameleon: {
    patterns: ['<sentinel:[0-9]+>', '(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z', '([\\t\\n]|    |  )', '\\p{N}', '[\\p{P}!-/:-@\\[-`{-~]', GPT2],
  },
  superbpe: { patterns: ['\\p{N}+', threes(false)] },
  bailingmoe: { patterns: [String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`] },
  seedCoder: { patterns: [String.raw`${CONTRACTION}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|${LAST_SPACES}`] },
  jais2: {
    patterns: [
      LLAMA3.slice(0, LLAMA3.indexOf('\\s+(?!')) +
        [512, 256, 128, 64, 32, 16, 8, 4].map((n) => `\\s{${n}}(?!\\S)|`).join('') + '\\s{1,2}(?!\\S)|\\s{1}',
    ],
  },
  tinyAya: { patterns: [threes(true), O200K] },
  exaoneMoe: { patterns: [String.raw`${CONTRACTION}|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+`] },
  kimiK2: { patterns: [KIMI] },
  minicpm5: { patterns: ['\\p{N}{1,3}', LLAMA3.replace('{1,3}', '+')] },
  ufakzeka: { patterns: [QWEN2.slice(CONTRACTION.length + 1)] },
  laguna: { patterns: ['[^\\n]+|[\\n]+', QWEN2] },
  newlines: { patterns: ['[^\\n]+|[\\n]+'] },
} satisfies Record<string, Family>;
export type FamilyName = keyof typeof FAMILIES;

/** The splitter of a pattern family; patterns are compiled on first use of its steps. */
export function familySplitter(name: FamilyName): Splitter {
  const { patterns, scanner }: Family = FAMILIES[name];
  return { ...(scanner ? { scanner } : {}), get steps() { return patterns.map((pattern) => (typeof pattern === 'string' ? cut(compiled(pattern)) : pattern)); } };
}

/** The patterns as the family's tokenizer.json writes them. */
export const familyPatterns = (name: FamilyName): readonly string[] => (FAMILIES[name] as Family).patterns.filter((pattern) => typeof pattern === 'string');

/** From every place in a run of spaces this one looks to the run's end. */
const RUNS_AWAY = new Set(['\\s+$']);
const compiled = (pattern: string): Pattern => compilePattern(pattern, 'perl', !RUNS_AWAY.has(pattern));

const ours = new Set((Object.values(FAMILIES) as Family[]).flatMap(({ patterns }) => patterns.filter((pattern) => typeof pattern === 'string')));

/** Is it one of these, of which no text makes a backtracking engine run away? */
export const isKnownPattern = (source: string): boolean => ours.has(source) && !RUNS_AWAY.has(source);

/** The scanner whose splits equal those of a tokenizer.json pattern list (in Oniguruma's syntax), where there is one. */
export function knownScanner(patterns: readonly string[]): Scanner | undefined {
  const wanted = patterns.map(canonical).join('\n');
  for (const { patterns: own, scanner } of Object.values(FAMILIES) as Family[]) {
    if (scanner && own.map((pattern) => canonical(String(pattern).replaceAll(/(\{[\d,]+\})\+/g, '$1'))).join('\n') === wanted) return scanner;
  }
  return undefined;
}

/** Spellings of one meaning: possessive or greedy where nothing can be given back, orders of the contractions. */
const canonical = (pattern: string) =>
  pattern
    .replaceAll(/([+?*])\+/g, '$1')
    .replaceAll(/\(\?i:'s\|'t\|'re\|'ve\|'m\|'ll\|'d\)|'\(\?i:\[sdmt\]\|ll\|ve\|re\)/g, '(contraction)')
    .replace(/\\s\*\[\\r\\n\]\+?\|/, '\\s*[\\r\\n]|')
    .replace(/\|\\s\+$/, '|\\s');

interface PreTokenizer {
  family: FamilyName;
  ignoreMerges?: boolean;
  addBos?: boolean;
  addSeparator?: boolean;
  /** Spaces are U+2581 and characters the symbols: SentencePiece's way in a BPE. */
  marked?: boolean;
}

/** llama.cpp's names (`tokenizer.ggml.pre`), by family. */
const names = (family: FamilyName, list: string, rest: Omit<PreTokenizer, 'family'> = {}): [string, PreTokenizer][] =>
  list.split(' ').map((name) => [name, { family, ...rest }]);

const PRE_TOKENIZERS = new Map<string, PreTokenizer>([
  ...names('default', 'default'),
  ...names('llama3', 'llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano', { ignoreMerges: true, addBos: true }),
  ...names('llama3', 'smaug-bpe dbrx chatglm-bpe'),
  ...names('llama3', 'glm4 glm5', { ignoreMerges: true }),
  ...names('minicpm5', 'minicpm5', { ignoreMerges: true }),
  ...names('ufakzeka', 'ufakzeka'),
  ...names('laguna', 'laguna'),
  ...names('qwen2', 'qwen2 stablelm2 deepseek-r1-qwen kormo f2llmv2 megrez hunyuan grok-2 solar-open'),
  ...names('qwen35', 'qwen35'),
  ...names('gpt2', 'gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert mpt olmo jais trillion granite-docling exaone4'),
  ...names('gpt2', 'jina-v1-en jina-v2-code roberta-bpe', { addSeparator: true }),
  ...names('digitsGpt2', 'smollm starcoder refact command-r codeshell exaone minerva-7b mellum2'),
  ...names('deepseekLlm', 'deepseek-llm'),
  ...names('deepseekCoder', 'deepseek-coder'),
  ...names('deepseek3', 'deepseek-v3 hunyuan-dense joyai-llm hy_v4'),
  ...names('youtu', 'youtu', { ignoreMerges: true }),
  ...names('falcon', 'falcon'),
  ...names('bloom', 'poro-chat bloom gpt3-finnish'),
  ...names('viking', 'viking'),
  ...names('tekken', 'tekken', { ignoreMerges: true, addBos: true }),
  ...names('chameleon', 'chameleon', { addBos: true }),
  ...names('o200k', 'gpt-4o llama4 kanana2 talkie minimax-m2'),
  ...names('o200k', 'granite-embed-multi-97m', { ignoreMerges: true }),
  ...names('tinyAya', 'tiny_aya cohere2moe'),
  ...names('kimiK2', 'kimi-k2'),
  ...names('superbpe', 'superbpe'),
  ...names('bailingmoe', 'bailingmoe bailingmoe2 llada-moe'),
  ...names('seedCoder', 'seed-coder'),
  ...names('jais2', 'jais-2'),
  ...names('exaoneMoe', 'exaone-moe'),
  ...names('newlines', 'gemma4 granite-embed-multi-311m', { marked: true, addBos: true }),
  ...names('newlines', 'sarvam-moe', { marked: true }),
]);

/** The family that a scanner is of. */
export const familyOf = (scanner: Scanner | undefined): FamilyName | undefined =>
  (Object.keys(FAMILIES) as FamilyName[]).find((name) => {
    const own = (FAMILIES[name] as Family).scanner;
    return own && scanner && own.number === scanner.number && own.flags === scanner.flags;
  });

/** llama.cpp's name for a family, the first that merges as `ignoreMerges` says. */
export const preName = (family: FamilyName, ignoreMerges: boolean): string | undefined =>
  [...PRE_TOKENIZERS].find(([, pre]) => pre.family === family && (pre.ignoreMerges ?? false) === ignoreMerges && !pre.marked && !pre.addSeparator)?.[0];

/** The names that `preTokenizer` knows. */
export const preTokenizerNames = (): string[] => [...PRE_TOKENIZERS.keys()];

/**
 * The pre-tokenizer of a GGUF file. Without a name llama.cpp's rule holds: 'default'.
 * @throws StonechatError `unsupported` for an unknown name.
 */
export function preTokenizer(name: string | undefined): PreTokenizer {
  const found = PRE_TOKENIZERS.get(name || 'default');
  if (found) return found;
  throw new StonechatError({
    code: 'unsupported',
    expected: 'a tokenizer.ggml.pre that stonechat knows',
    found: JSON.stringify(name),
    remedy: 'Give the model\'s tokenizer.json by the tokenizer option instead.',
  });
}
