/**
 * Learning 4,096 byte-level BPE tokens from 9.6 MB of stories, beside plain TypeScript: the textbook's way (count every
 * pair of every word anew for each merge), and the same incremental way as the kernels' with Map and arrays.
 * All must give the same merges. Needs ../shared/data.
 *
 *   npx esbuild bench/learn-bpe.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/bench/learn-bpe.mjs
 *   node .cache/bench/learn-bpe.mjs [--tokens 4096] [--rounds 5] [--textbook]
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Bench } from 'tinybench';
import { BYTE_LETTERS } from '../src/text/alphabet.js';
import { familyPatterns } from '../src/text/patterns.js';
import { learnBpe } from '../src/train/tokenizer/learn-bpe.js';

const { values: args } = parseArgs({ options: { tokens: { type: 'string', default: '4096' }, rounds: { type: 'string', default: '5' }, textbook: { type: 'boolean' } } });
const tokens = Number(args.tokens);
const text = readFileSync('../shared/data/corpora/stories/tinystories_cased_merged.txt', 'utf8');
const load = (path: string) => new WebAssembly.Module(readFileSync(path));
const kernels = { module: load('dist/wasm/core/simd.wasm'), secondModule: load('dist/wasm/train/simd.wasm'), build: 'simd' as const };

const PATTERN = new RegExp(familyPatterns('gpt2')[0]!, 'gu');

interface Word {
  tokens: string[];
  count: number;
}

/** Distinct words of the stories by the same pattern, as letters of bytes. */
function words(): Word[] {
  const counts = new Map<string, number>();
  for (const story of text.split('<|endoftext|>')) {
    for (const [word] of story.matchAll(PATTERN)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const utf8 = new TextEncoder();
  return [...counts].map(([word, count]) => ({ count, tokens: [...utf8.encode(word)].map((byte) => String.fromCharCode(byte)) }));
}

const keyOf = (left: string, right: string) => `${left}\uffff${right}`;

function merged(word: readonly string[], left: string, right: string): string[] {
  const out: string[] = [];
  for (let i = 0; i < word.length; i++) {
    if (word[i] === left && word[i + 1] === right) out.push(left + word[++i]!);
    else out.push(word[i]!);
  }
  return out;
}

/** The most frequent, of equals the greater bytes. */
function bestOf(counts: ReadonlyMap<string, number>): string {
  let best = '';
  let most = 0;
  for (const [key, count] of counts) {
    if (count < most || (count === most && !greater(key, best))) continue;
    best = key;
    most = count;
  }
  return best;
}

function greater(a: string, b: string): boolean {
  const [leftA, rightA] = a.split('\uffff');
  const [leftB, rightB] = b.split('\uffff');
  return leftA === leftB ? rightA! > rightB! : leftA! > leftB!;
}

function textbook(): string[] {
  const list = words();
  const merges: string[] = [];
  while (merges.length < tokens - 257) {
    const counts = new Map<string, number>();
    for (const { tokens: word, count } of list) {
      for (let i = 1; i < word.length; i++) counts.set(keyOf(word[i - 1]!, word[i]!), (counts.get(keyOf(word[i - 1]!, word[i]!)) ?? 0) + count);
    }
    const best = bestOf(counts);
    const [left, right] = best.split('\uffff');
    for (const word of list) word.tokens = merged(word.tokens, left!, right!);
    merges.push(best);
  }
  return merges;
}

/** Counts kept from merge to merge; only words that hold the pair are touched. */
function incremental(): string[] {
  const list = words();
  const counts = new Map<string, number>();
  const holders = new Map<string, Set<Word>>();
  const tally = (word: Word, sign: 1 | -1) => {
    for (let i = 1; i < word.tokens.length; i++) {
      const key = keyOf(word.tokens[i - 1]!, word.tokens[i]!);
      counts.set(key, (counts.get(key) ?? 0) + sign * word.count);
      if (sign < 0) continue;
      const found = holders.get(key);
      if (found) found.add(word);
      else holders.set(key, new Set([word]));
    }
  };
  for (const word of list) tally(word, 1);
  const merges: string[] = [];
  while (merges.length < tokens - 257) {
    const best = bestOf(counts);
    const [left, right] = best.split('\uffff');
    for (const word of holders.get(best)!) {
      tally(word, -1);
      word.tokens = merged(word.tokens, left!, right!);
      tally(word, 1);
    }
    counts.delete(best);
    merges.push(best);
  }
  return merges;
}

const letters = (latin: string) => [...latin].map((char) => String.fromCharCode(BYTE_LETTERS[char.charCodeAt(0)]!)).join('');
const learn = () => learnBpe(text, { vocabularySize: tokens }, kernels);

const learnt = await learn();
const own = learnt.vocabulary.merges.map(([left, right]) => `${left} ${right}`);
const plain = incremental().map((key) => key.split('\uffff').map(letters).join(' '));
if (own.join('\n') !== plain.join('\n')) throw new Error('the merges differ');

const bench = new Bench({ time: 0, iterations: Number(args.rounds), warmup: false });
bench.add('stonechat (WebAssembly)', async () => void (await learn()));
bench.add('incremental, plain TypeScript', () => void incremental());
if (args.textbook) {
  const start = performance.now();
  textbook();
  console.log(`textbook, plain TypeScript: ${((performance.now() - start) / 1000).toFixed(1)} s, once`);
}
await bench.run();
console.log(`Node ${process.versions.node}, ${cpus()[0]!.model}; ${(text.length / 1e6).toFixed(1)} MB, ${learnt.words} words, ${learnt.distinctWords} different, ${own.length} merges`);
for (const { name, result } of bench.tasks) {
  if (!('latency' in result)) continue;
  const { p50, min, max } = result.latency;
  console.log(`${name}: ${(p50 / 1000).toFixed(3)} s (${(min / 1000).toFixed(3)}-${(max / 1000).toFixed(3)})`);
}
