/**
 * The article's own example: a base model that has read made-up quarterly series and some stories is tuned on the earnings
 * per share of Johnson & Johnson, 1960 to 1973, and asked for the quarters of 1974 to 1977, which it has never seen.
 * Beside it: the base itself, repeating the last quarter, repeating the one four quarters back. Needs ../shared/data.
 *
 *   npx esbuild bench/finance.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/bench/finance.mjs
 *   node .cache/bench/finance.mjs [--folder .cache/finance] [--steps 1500] [--threads 1] [--figure docs/finance.svg]
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createStonechat } from '../src/entry/load.js';
import { createTrainer } from '../src/entry/train.js';
import { createTuner, type FinetuneOptions } from '../src/entry/tune.js';
import { collect, writeGguf } from '../src/files/gguf-writer.js';
import type { Model } from '../src/generate/types.js';
import { compileTrainKernels } from '../src/host/compile-train.js';
import { nodeHost } from '../src/host/node.js';
import { ggufTokenizer } from '../src/text/byte-level.js';
import { learnBpe } from '../src/train/learn-bpe.js';
import { Normal, Random } from '../src/train/random.js';
import { textKernels } from '../src/train/vocabulary.js';

const DATA = new URL('../../../shared/data/corpora/', import.meta.url).pathname;
const data = (path: string) => readFileSync([DATA, '/work/shared/data/corpora/'].map((folder) => join(folder, path)).find(existsSync)!, 'utf8');
const { values: args } = parseArgs({
  options: { folder: { type: 'string', default: '.cache/finance' }, steps: { type: 'string', default: '1500' }, threads: { type: 'string', default: '1' }, figure: { type: 'string', default: 'docs/finance.svg' } },
});
const threads = Number(args.threads);
mkdirSync(args.folder, { recursive: true });

const host = nodeHost();
const trainHost = { host, compileTraining: compileTrainKernels };
const { load } = createStonechat(host);
const { train } = createTrainer(host);
const { finetune } = createTuner(host);

// The examples, in the order of time. The last four years are held back: no answer of theirs is learnt from.

interface Example {
  readonly instruction: string;
  readonly input: string;
  readonly output: string;
}
const examples = data('finance/next_quarter_instruct.jsonl').trim().split('\n').map((line) => JSON.parse(line) as Example);
const HELD_BACK = 16;
const [known, asked] = [examples.slice(0, -HELD_BACK), examples.slice(-HELD_BACK)];
const earnings = (text: string): number => Number(/Q\d: (\d+\.\d+)/.exec(text)![1]);

// A corpus of made-up companies: level, growth, four seasons, noise. Nothing of it is taken from the data.

/** Companies begin anywhere from 1900 to 2020 and grow by -5 to 35 % a year; a season takes or gives 15 % (one deviation), chance 4 %. */
function company(seed: number): string {
  const quarters = 18;
  const random = new Random(seed);
  const normal = new Normal(seed ^ 0x5bd1e995, Math.log);
  const first = 4 * (1900 + random.below(120)) + random.below(4);
  const growth = (0.95 + 0.4 * random.uniform()) ** 0.25;
  const seasons = Array.from({ length: 4 }, () => Math.exp(0.15 * normal.next()));
  let level = 0.2 * 60 ** random.uniform();
  return Array.from({ length: quarters }, (_, i) => {
    const quarter = first + i;
    level *= growth;
    const value = level * seasons[quarter % 4]! * Math.exp(0.04 * normal.next());
    return `${Math.floor(quarter / 4)} Q${(quarter % 4) + 1}: ${value.toFixed(2)}`;
  }).join('; ');
}

const COMPANIES = 8000;
const stories = data('tinystories/tinystories_sample_2MiB.txt').slice(0, 300_000).split(/\n\n+/).filter((part) => part.length > 80 && part.length < 600);
const corpus = [...Array.from({ length: COMPANIES }, (_, i) => company(i + 1)), ...stories];

async function baseModel(): Promise<Uint8Array<ArrayBuffer>> {
  const path = join(args.folder, 'base.gguf');
  if (existsSync(path)) return new Uint8Array(readFileSync(path));
  const { vocabulary } = await learnBpe([...stories, ...corpus.slice(0, 500)], { vocabularySize: 512, pattern: 'digitsGpt2' }, await textKernels(trainHost));
  const tokenizer = await collect(writeGguf({ metadata: new Map([['general.architecture', 'llama'], ...ggufTokenizer(vocabulary)]), tensors: [] }));
  const config = { layers: 3, embedding: 96, heads: 6, kvHeads: 3, feedForward: 256, context: 256 };
  const started = performance.now();
  const result = await train(corpus, {
    config, tokenizer, steps: Number(args.steps), batch: 4, learningRate: 0.003, dropout: 0, threads, seed: 1, validationShare: 0.01, evaluateEvery: 250, evaluationTokens: 8192, sampleEvery: 0,
    checkpoint: `${path}.checkpoint`, ...(existsSync(`${path}.checkpoint`) && { resume: `${path}.checkpoint` }), name: 'made-up series',
    onEvent: (event) => {
      if (event.kind === 'evaluation') console.log(`base, step ${event.step}: validation loss ${event.loss.toFixed(4)} (${((performance.now() - started) / 1000).toFixed(0)} s)`);
    },
  });
  const bytes = await result.bytes();
  writeFileSync(path, bytes);
  console.log(`base: ${result.parameters} parameters, ${result.tokens} tokens`);
  return bytes;
}

// Asking. The instruction is the same in all examples and is left out: the base has read no English worth the name.

const promptOf = ({ input }: Example): string => `${input}; `;
const tuningExample = (example: Example) => ({ prompt: promptOf(example), completion: example.output });

/** The same quarters at another scale, in other years: what matters are ratios, and without it forty examples are learnt by heart. */
function moved({ instruction, input, output }: Example, random: Random): Example {
  const years = random.below(60) - 30;
  const factor = 0.5 * 16 ** random.uniform();
  const move = (text: string) => text.replaceAll(/(\d{4}) Q(\d): (\d+\.\d+)/g, (_, year: string, quarter: string, value: string) => `${Number(year) + years} Q${quarter}: ${(Number(value) * factor).toFixed(2)}`);
  return { instruction, input: move(input), output: move(output) };
}
const COPIES = 12;
function lessons(): { prompt: string; completion: string }[] {
  const random = new Random(3);
  return known.slice(0, -8).flatMap((example) => [example, ...Array.from({ length: COPIES - 1 }, () => moved(example, random))].map(tuningExample));
}

interface Answer {
  readonly text: string;
  /** Its first number after the name of the quarter asked for; undefined where there is none. */
  readonly value: number | undefined;
  /** Whether it is one quarter and no more. */
  readonly asAsked: boolean;
}

async function answersOf(model: Model): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const example of asked) {
    let text = '';
    for await (const token of model.generate(promptOf(example), { temperature: 0, maxTokens: 24, top: 0 })) text += token.text;
    const [whole, quarter, value] = /^\s*(\d{4} Q\d): (\d+\.\d\d)(?!\d)/.exec(text) ?? [];
    const right = quarter === example.output.slice(0, 7);
    answers.push({ text, value: right ? Number(value) : undefined, asAsked: right && text.trim() === whole!.trim() });
  }
  return answers;
}

// Judging

interface Row {
  readonly name: string;
  readonly answered: number;
  /** Answers that name the quarter asked for, and of these the ones that end there. */
  readonly asAsked: number;
  /** Of what was answered: mean absolute error in dollars, and as a share of the truth. */
  readonly error: number;
  readonly share: number;
  readonly values: readonly (number | undefined)[];
}
const truth = asked.map(({ output }) => earnings(output));
function judge(name: string, values: readonly (number | undefined)[], asAsked = HELD_BACK): Row {
  const errors = values.flatMap((value, i) => (value === undefined ? [] : [[Math.abs(value - truth[i]!), Math.abs(value - truth[i]!) / truth[i]!] as const]));
  const mean = (which: 0 | 1) => errors.reduce((sum, pair) => sum + pair[which], 0) / errors.length;
  return { name, answered: errors.length, asAsked, error: mean(0), share: mean(1), values };
}
const quartersBack = (back: number) => asked.map(({ input }) => earnings(input.split('; ').at(-back)!));

const base = await baseModel();
const rows: Row[] = [judge('repeat the last quarter', quartersBack(1)), judge('repeat the quarter four back', quartersBack(4))];
const judgeModel = async (name: string, model: Model) => {
  const answers = await answersOf(model);
  model.dispose();
  console.log(`${name}: ${answers.slice(0, 3).map(({ text }) => JSON.stringify(text)).join(' ')}`);
  rows.push(judge(name, answers.map(({ value }) => value), answers.filter(({ asAsked }) => asAsked).length));
};
await judgeModel('base model', await load(base, { threads: 1 }));
const tunings: [string, FinetuneOptions][] = [
  ['tuned, all weights', { learningRate: 0.001 }],
  ['tuned, adapter of rank 8', { lora: true, learningRate: 0.003 }],
];
for (const [name, options] of tunings) {
  const started = performance.now();
  // The last of the known quarters decide which weights are kept; those held back are not looked at.
  const result = await finetune(base, lessons(), { batch: 4, threads, seed: 1, epochs: 1, validation: known.slice(-8).map(tuningExample), ...options });
  const bytes = await result.bytes();
  writeFileSync(join(args.folder, `${options.lora ? 'adapter' : 'tuned'}.gguf`), bytes);
  await judgeModel(name, options.lora ? await load(base, { threads: 1, lora: [{ source: bytes }] }) : await load(bytes, { threads: 1 }));
  console.log(`${name}: validation loss ${result.before!.loss.toFixed(3)} before, ${result.after!.loss.toFixed(3)} after (step ${result.step} of ${result.settings.steps}, ${((performance.now() - started) / 1000).toFixed(0)} s)`);
}

console.log('\n| | names the quarter | and ends there | mean absolute error | of the truth |\n|---|---|---|---|---|');
for (const { name, answered, asAsked, error, share } of rows) console.log(`| ${name} | ${answered} of ${HELD_BACK} | ${asAsked} | ${answered ? `$${error.toFixed(2)}` : '-'} | ${answered ? `${(100 * share).toFixed(1)} %` : '-'} |`);
writeFileSync(join(args.folder, 'answers.json'), JSON.stringify({ asked: asked.map(({ output }) => output), rows }, null, 1));
writeFileSync(args.figure, figure(rows));

function figure(all: readonly Row[]): string {
  const [width, height, left, top, bottom] = [720, 340, 44, 28, 34];
  const most = 14;
  const x = (i: number) => left + 14 + (i * (width - left - 28)) / (HELD_BACK - 1);
  const y = (value: number) => height - bottom - (Math.min(value, most) / most) * (height - top - bottom);
  const shown: [string, string, string][] = [['repeat the last quarter', '#9aa3ad', '2 4'], ['repeat the quarter four back', '#6b7683', '6 4'], ['tuned, all weights', '#c2410c', ''], ['tuned, adapter of rank 8', '#0f766e', '']];
  const line = (found: readonly (number | undefined)[], colour: string, dash: string, thick: number) => {
    const points = found.flatMap((value, i) => (value === undefined ? [] : [`${x(i).toFixed(1)},${y(value).toFixed(1)}`]));
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="${thick}" stroke-dasharray="${dash}"/>${thick > 1.5 ? points.map((point) => `<circle cx="${point.split(',')[0]}" cy="${point.split(',')[1]}" r="2.6" fill="${colour}"/>`).join('') : ''}`;
  };
  const legend = [['what happened', '#111827'], ...shown.map(([name, colour]) => [name, colour])].map(([name, colour], i) => `<rect x="${left + 20}" y="${top + 4 + i * 16}" width="14" height="3" fill="${colour}"/><text x="${left + 40}" y="${top + 10 + i * 16}">${name}</text>`);
  const ticks = [0, 2, 4, 6, 8, 10, 12, 14].map((value) => `<line x1="${left}" x2="${width - 8}" y1="${y(value)}" y2="${y(value)}" stroke="#e5e7eb"/><text x="${left - 6}" y="${y(value) + 4}" text-anchor="end">${value}</text>`);
  const names = asked.map(({ output }, i) => `<text x="${x(i).toFixed(1)}" y="${height - bottom + 16}" text-anchor="middle">${output.slice(5, 7)}${i % 4 === 0 ? `<tspan x="${x(i).toFixed(1)}" dy="13">${output.slice(0, 4)}</tspan>` : ''}</text>`);
  const lines = shown.map(([name, colour, dash]) => line(all.find((row) => row.name === name)!.values, colour, dash, dash ? 1.4 : 2));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11" fill="#374151"><rect width="100%" height="100%" fill="#fff"/><text x="${left}" y="16" font-size="13" fill="#111827">Earnings per share of Johnson &amp; Johnson: quarters that the model was not shown</text>${ticks.join('')}${names.join('')}${lines.join('')}${line(truth, '#111827', '', 2)}${legend.join('')}</svg>\n`;
}
