/**
 * Encoding speed beside gpt-tokenizer, tiktoken (WebAssembly) and @huggingface/tokenizers, on the same vocabularies.
 * Each must give the same ids first. Needs ../shared/data (vocabularies and texts that are not part of the package).
 *
 *   npx esbuild bench/tokenizers.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/bench/tokenizers.mjs
 *   node .cache/bench/tokenizers.mjs [--json] [--rounds 5] [--only gpt2]
 */
import { Tokenizer as HuggingFace } from '@huggingface/tokenizers';
import * as gptCl100k from 'gpt-tokenizer/encoding/cl100k_base';
import * as gptO200k from 'gpt-tokenizer/encoding/o200k_base';
import * as gptR50k from 'gpt-tokenizer/encoding/r50k_base';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { get_encoding, type TiktokenEncoding } from 'tiktoken';
import { Bench } from 'tinybench';
import { tokenizerFromFile, type Tokenizer } from '../src/text/index.js';
import type { Build } from '../src/kernels/instance.js';

const { values: args } = parseArgs({ options: { json: { type: 'boolean' }, rounds: { type: 'string', default: '5' }, only: { type: 'string' } } });
const shared = '../shared/data/';
const read = (path: string) => new Uint8Array(readFileSync(shared + path));
const text = (path: string) => readFileSync(shared + path, 'utf8');
const BYTES = 5_000_000;

/** Five million bytes of English: Shakespeare, Sherlock Holmes, Wikipedia, children's stories. */
function english(): string {
  const parts = ['tinyshakespeare/input.txt', 'gutenberg/sherlock.txt', 'wikitext-2/valid.txt', 'tinystories/tinystories_sample_2MiB.txt', 'instruct/gsm8k_test.jsonl'];
  return cutTo(parts.map((part) => text(`corpora/${part}`)).join('\n'), BYTES);
}

/** Seeded numbers in [0, 1): mulberry32. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Mixed scripts: sentences of the test vectors (a score of languages, code, emoji), running text over a lexicon of
 * non-English words (the RWKV World vocabulary, drawn by Zipf's law), random letters of 12 scripts, and English.
 */
function multilingual(): string {
  const next = random(7);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const zipf = <T>(list: readonly T[]): T => list[Math.floor(list.length ** next()) - 1]!;
  const sentences = Object.values(JSON.parse(text('tokenizers/tiktoken/vectors-tiktoken.json')) as Record<string, { text: string }[]>).flat().map((one) => one.text).filter((one) => one.length < 400);
  const lexicon = [...text('tokenizers/rwkv-world/rwkv_vocab_v20230424.txt').matchAll(/^\d+ '((?:[^'\\]|\\.)*)' \d+$/gm)].map((found) => found[1]!).filter((word) => /[^\0-\x7f]/.test(word) && !word.includes('\\'));
  const scripts = [0x3b1, 0x430, 0x561, 0x5d0, 0x627, 0x905, 0xe01, 0x10d0, 0x3042, 0x30a2, 0x4e00, 0xac00];
  const letters = (start: number) => Array.from({ length: 2 + Math.floor(next() * 6) }, () => String.fromCodePoint(start + Math.floor(next() * (start >= 0x4e00 ? 3000 : 24)))).join('');
  const prose = english().split('\n').filter((line) => line.length > 40);
  const kinds = [() => pick(sentences), () => Array.from({ length: 12 }, () => zipf(lexicon)).join(pick([' ', ''])), () => Array.from({ length: 6 }, () => letters(pick(scripts))).join(' '), () => pick(prose)];
  const lines: string[] = [];
  for (let bytes = 0; bytes < BYTES; ) {
    const line = kinds[lines.length % kinds.length]!();
    lines.push(line);
    bytes += Buffer.byteLength(line) + 1;
  }
  return cutTo(lines.join('\n'), BYTES);
}

/** Rivals differ in special tokens within text, and gpt-tokenizer takes U+FEFF for white space (tiktoken does not): both left out. */
const cutTo = (whole: string, bytes: number) => new TextDecoder().decode(Buffer.from(whole.replaceAll('<|', '< |').replaceAll('\ufeff', '')).subarray(0, bytes)).replace(/\ufffd$/, '').trimEnd();

type Encode = (input: string) => ArrayLike<number>;
interface Subject {
  name: string;
  encode: Encode;
}

const build = (name: Build) => ({ module: new WebAssembly.Module(readFileSync(`dist/wasm/core/${name}.wasm`)), build: name });
const ours = (tokenizer: Tokenizer, label: string): Subject => ({ name: `stonechat (${label})`, encode: (input) => tokenizer.encode(input, { addSpecial: false }) });

async function subjects(vocabulary: string): Promise<Subject[]> {
  const file = vocabulary === 'gpt2' ? 'gpt2/tokenizer.json' : `tiktoken/${vocabulary}.tiktoken`;
  const simd = await tokenizerFromFile(file, read(`tokenizers/${file}`), build('simd'));
  const scalar = await tokenizerFromFile(file, read(`tokenizers/${file}`), build('scalar'));
  const tiktoken = get_encoding(vocabulary as TiktokenEncoding);
  const gpt = { gpt2: gptR50k, cl100k_base: gptCl100k, o200k_base: gptO200k }[vocabulary]!;
  const list: Subject[] = [
    ours(simd, 'simd'),
    ours(scalar, 'scalar'),
    { name: 'tiktoken 1 (wasm)', encode: (input) => tiktoken.encode_ordinary(input) },
    { name: 'gpt-tokenizer 4', encode: (input) => gpt.encode(input) },
  ];
  if (vocabulary === 'gpt2') {
    const json = JSON.parse(text('tokenizers/gpt2/tokenizer.json')) as object;
    const huggingFace = new HuggingFace(json, {});
    list.push({ name: '@huggingface/tokenizers 0.2', encode: (input) => huggingFace.encode(input, { add_special_tokens: false }).ids });
  }
  return list;
}

function mustAgree(list: readonly Subject[], inputs: readonly string[]): number {
  return inputs.reduce((sum, input) => sum + agreedIds(list, input), 0);
}

function agreedIds(list: readonly Subject[], input: string): number {
  const [first, ...others] = list.map(({ name, encode }) => ({ name, ids: encode(input) }));
  for (const { name, ids } of others) {
    const at = Array.from(first!.ids).findIndex((id, i) => id !== ids[i]);
    if (at >= 0 || ids.length !== first!.ids.length) throw new Error(`${name} and ${first!.name} differ at id ${at}: ${Array.from(ids).slice(at - 3, at + 5)} / ${Array.from(first!.ids).slice(at - 3, at + 5)}`);
  }
  return first!.ids.length;
}

/** Pieces of about 2,000 characters, cut at line ends. */
const inPieces = (whole: string) => whole.match(/[^]{1,2000}(?:\n|$)|[^]{1,2000}/g)!.map((piece) => piece.trimEnd()).filter((piece) => piece);

const texts: Record<string, string[]> = {
  'English, 5 MB at once': [english()],
  'English, 2 KB at a time': inPieces(english()),
  'multilingual, 5 MB at once': [multilingual()],
  'multilingual, 2 KB at a time': inPieces(multilingual()),
};
const rows: Record<string, string | number>[] = [];
for (const vocabulary of ['gpt2', 'cl100k_base', 'o200k_base']) {
  if (args.only && args.only !== vocabulary) continue;
  const list = await subjects(vocabulary);
  for (const [name, inputs] of Object.entries(texts)) {
    const bytes = inputs.reduce((sum, input) => sum + Buffer.byteLength(input), 0);
    const ids = mustAgree(list, inputs);
    const bench = new Bench({ iterations: Number(args.rounds), time: 0, warmup: false });
    for (const subject of list) bench.add(subject.name, () => inputs.forEach(subject.encode));
    await bench.run();
    for (const task of bench.tasks) {
      const { latency } = task.result as unknown as { latency: { p50: number; min: number; max: number } };
      const speed = (ms: number) => Number((bytes / ms / 1000).toFixed(1));
      rows.push({ vocabulary, text: name, ids, encoder: task.name, 'MB/s': speed(latency.p50), slowest: speed(latency.max), fastest: speed(latency.min) });
    }
  }
}
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, runtime: `Node ${process.version}` };
if (args.json) console.log(JSON.stringify({ machine, rows }, null, 1));
else {
  console.log(machine);
  console.table(rows);
}
