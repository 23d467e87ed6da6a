/**
 * The article's own example: the story model of the package, which has read nothing but children's stories, is tuned on the
 * earnings per share of Johnson & Johnson, 1960 to 1971, and asked for the quarters of 1974 to 1977, which it has never seen.
 * Beside it: the model as it was, repeating the last quarter, repeating the one four quarters back. Needs ../shared/data.
 *
 *   npx esbuild bench/finance.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/bench/finance.mjs
 *   node .cache/bench/finance.mjs [--validate] [--folder .cache/finance] [--threads 1] [--figure docs/finance.svg]
 *
 * --validate asks for the quarters of 1972 and 1973 instead: by these, and by no others, everything here was chosen. What is tuned is kept in the folder.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type GenerateOptions, load, type Model } from 'stonechat';
import { defaultModel } from 'stonechat/default-model';
import { finetune, type FinetuneOptions, type TuningEvent } from 'stonechat/train';

const { values: args } = parseArgs({
  options: { validate: { type: 'boolean', default: false }, folder: { type: 'string', default: '.cache/finance' }, threads: { type: 'string', default: '1' }, figure: { type: 'string', default: 'docs/finance.svg' } },
});
const threads = Number(args.threads);
mkdirSync(args.folder, { recursive: true });

// The records, in the order of time: eight quarters, and the ninth. The last sixteen are only asked, after all else is decided.

interface Quarter {
  readonly year: number;
  /** 1 to 4. */
  readonly quarter: number;
  readonly value: number;
}
const DATA = ['../shared/data', '/work/shared/data'].map((folder) => join(folder, 'corpora/finance/next_quarter_instruct.jsonl')).find(existsSync)!;
const records = readFileSync(DATA, 'utf8').trim().split('\n').map((line) => {
  const { input, output } = JSON.parse(line) as { input: string; output: string };
  return [...`${input}; ${output}`.matchAll(/(\d{4}) Q(\d): (\d+\.\d+)/g)].map(([, year, quarter, value]): Quarter => ({ year: Number(year), quarter: Number(quarter), value: Number(value) }));
});
const [learnt, validating] = [records.slice(0, 40), records.slice(40, 48)];
const asked = args.validate ? validating : records.slice(48);

const written = ({ year, quarter, value }: Quarter): string => `${year} Q${quarter}: ${value.toFixed(2)}`;
/** The instruction, the same in all records, is left out: a teller of stories has no use for it. */
const promptOf = (record: readonly Quarter[]): string => `${record.slice(0, 8).map(written).join('; ')}; `;
const truthOf = (record: readonly Quarter[]): Quarter => record[8]!;

// Forty records are learnt by heart before anything else is learnt from them. What they hold is ratios: each is shown again as it would
// be in other years, at another size, with somewhat other growth, seasons and chance.

const COPIES = 200;

/** Mulberry32: from 0 to 1. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function moved(record: readonly Quarter[], random: () => number): Quarter[] {
  const about = (spread: number): number => 1 + spread * (2 * random() - 1);
  const years = Math.floor(60 * random()) - 30;
  const size = (2 ** Math.floor(4 * random()) * (1 + random())) / record[4]!.value;
  const growth = about(0.03);
  const seasons = record.slice(0, 4).map(() => about(0.2));
  return record.map(({ year, quarter, value }, i) => ({ year: year + years, quarter, value: value * size * growth ** (i - 4) * seasons[quarter - 1]! * about(0.03) }));
}

/** To learn from: the whole text, because each of its quarters after the fourth can be told from those before it. To judge by: the ninth alone. */
const lessonOf = (record: readonly Quarter[]) => ({ text: promptOf(record) + written(truthOf(record)) });
const questionOf = (record: readonly Quarter[]) => ({ prompt: promptOf(record), completion: written(truthOf(record)) });

const [random, random2] = [dice(1), dice(2)];
const lessons = Array.from({ length: COPIES }, (_, copy) => learnt.map((record) => lessonOf(copy === 0 ? record : moved(record, random)))).flat();
const validation = Array.from({ length: 5 }, (_, copy) => validating.map((record) => questionOf(copy === 0 ? record : moved(record, random2)))).flat();
const lines = (name: string, examples: readonly object[]) => writeFileSync(join(args.folder, name), examples.map((example) => `${JSON.stringify(example)}\n`).join(''));
lines('learn.jsonl', lessons);
lines('validate.jsonl', validation);

// Asking and judging. Two forecasts: the likeliest answer, and the median of fifteen drawn, because digits are told one by one
// and the likeliest first digit may stand before unlikely ones (Gruver et al. 2023, arXiv:2310.07820, ask so too).

const DRAWN = 15;

interface Forecast {
  /** The likeliest answer; whether it names the quarter asked for, and whether there is nothing else. */
  readonly text: string;
  readonly named: boolean;
  readonly ended: boolean;
  /** Dollars. Undefined where no answer names the quarter. */
  readonly likeliest: number | undefined;
  readonly median: number | undefined;
}

async function ask(model: Model, record: readonly Quarter[], options: GenerateOptions): Promise<{ text: string; value: number | undefined; ended: boolean }> {
  let text = '';
  for await (const token of model.generate(promptOf(record), { maxTokens: 24, ...options })) text += token.text;
  const [whole, name, value] = /^\s*(\d{4} Q\d): (\d+\.\d\d)(?!\d)/.exec(text) ?? [];
  const named = name === written(truthOf(record)).slice(0, 7);
  return { text, value: named ? Number(value) : undefined, ended: named && text.trim() === whole!.trim() };
}

async function forecast(model: Model, record: readonly Quarter[]): Promise<Forecast> {
  const { text, value, ended } = await ask(model, record, { temperature: 0 });
  const drawn: number[] = [];
  for (let seed = 1; seed <= DRAWN; seed++) drawn.push(...[(await ask(model, record, { temperature: 1, seed })).value].filter((found) => found !== undefined));
  return { text, ended, named: value !== undefined, likeliest: value, median: drawn.toSorted((a, b) => a - b)[drawn.length >> 1] };
}

interface Row {
  readonly name: string;
  readonly forecasts: readonly Forecast[];
}

/** By a rule instead of a model. */
function ruled(name: string, rule: (values: readonly number[]) => number): Row {
  const forecasts = asked.map((record) => {
    const value = rule(record.slice(0, 8).map((quarter) => quarter.value));
    return { text: '', named: true, ended: true, likeliest: value, median: value };
  });
  return { name, forecasts };
}
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Mean of |forecast - truth| / truth over what was answered, in percent. */
function off({ forecasts }: Row, which: 'likeliest' | 'median'): string {
  const errors = forecasts.flatMap(({ [which]: value }, i) => (value === undefined ? [] : [Math.abs(value / truthOf(asked[i]!).value - 1)]));
  return errors.length ? `${((100 * sum(errors)) / errors.length).toFixed(1)} %` : 'no number';
}

const rows: Row[] = [
  ruled('repeat the last quarter', (values) => values[7]!),
  ruled('repeat the quarter four back', (values) => values[4]!),
  ruled('that, times the growth of the year', (values) => (values[4]! * sum(values.slice(4))) / sum(values.slice(0, 4))),
];

async function judge(name: string, model: Model): Promise<void> {
  const forecasts: Forecast[] = [];
  for (const record of asked) forecasts.push(await forecast(model, record));
  model.dispose();
  rows.push({ name, forecasts });
  console.log(`${name}: ${forecasts.slice(0, 3).map(({ text }) => JSON.stringify(text)).join(' ')}`);
}

const base = defaultModel();
await judge('the story model', await load(base, { threads: 1 }));
const tunings: [string, FinetuneOptions][] = [
  ['tuned, all weights', { dequantize: true, learningRate: 0.001 }],
  ['tuned, adapter of rank 16', { lora: { rank: 16 }, learningRate: 0.006 }],
];
for (const [name, options] of tunings) {
  const path = join(args.folder, options.lora ? 'adapter.gguf' : 'tuned.gguf');
  if (!existsSync(path)) await tune(name, path, options);
  await judge(name, options.lora ? await load(base, { threads: 1, lora: [{ source: path }] }) : await load(path, { threads: 1 }));
}

async function tune(name: string, output: string, options: FinetuneOptions): Promise<void> {
  const started = performance.now();
  const onEvent = (event: TuningEvent) => void (event.kind === 'evaluation' && console.log(`${name}, step ${event.step}: validation loss ${event.loss.toFixed(3)}`));
  const { before, after, step, settings } = await finetune(base, lessons, { validation, epochs: 1, batch: 8, seed: 1, threads, output, onEvent, ...options });
  console.log(`${name}: validation loss ${before!.loss.toFixed(3)} before, ${after!.loss.toFixed(3)} after (step ${step} of ${settings.steps}, ${((performance.now() - started) / 1000).toFixed(0)} s)`);
}

console.log(`\n| | names the quarter | and ends there | likeliest answer off by | median of ${DRAWN} off by |\n|---|---|---|---|---|`);
for (const row of rows) {
  const count = (which: 'named' | 'ended') => row.forecasts.filter((forecast) => forecast[which]).length;
  console.log(`| ${row.name} | ${count('named')} of ${asked.length} | ${count('ended')} | ${off(row, 'likeliest')} | ${off(row, 'median')} |`);
}
writeFileSync(join(args.folder, 'answers.json'), JSON.stringify({ asked: asked.map((record) => written(truthOf(record))), rows }, null, 1));
if (!args.validate) writeFileSync(args.figure, figure());

function figure(): string {
  const [width, height, left, top, bottom] = [760, 440, 46, 126, 48];
  const truth = asked.map((record) => truthOf(record).value);
  const [least, most] = [2 * Math.floor((Math.min(...truth) - 1) / 2), 2 * Math.ceil((Math.max(...truth) + 2) / 2)];
  const x = (i: number): string => (left + 18 + (i * (width - left - 44)) / (asked.length - 1)).toFixed(1);
  const y = (value: number): string => (height - bottom - ((value - least) / (most - least)) * (height - top - bottom)).toFixed(1);
  const shown: [row: Row, colour: string, dash: string][] = [
    [{ name: 'what happened', forecasts: truth.map((value) => ({ text: '', named: true, ended: true, likeliest: value, median: value })) }, '#111827', ''],
    [rows.at(-2)!, '#c2410c', ''], [rows.at(-1)!, '#0f766e', ''], [rows[0]!, '#94a3b8', '2 4'], [rows[1]!, '#64748b', '7 4'],
  ];
  const curves = shown.map(([{ forecasts }, colour, dash]) => {
    const points = forecasts.flatMap(({ median }, i) => (median === undefined ? [] : [[x(i), y(median)] as const]));
    const dots = dash ? [] : points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`);
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="${dash ? 1.5 : 2.2}" stroke-dasharray="${dash}"/>${dots.join('')}`;
  });
  const legend = shown.map(([row, colour, dash], i) => {
    const [at, line] = [left + 340 * Math.floor(i / 3), 68 + 18 * (i % 3)];
    return `<path d="M${at} ${line - 4}h22" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash}"/><text x="${at + 28}" y="${line}">${row.name}${i ? `: off by ${off(row, 'median')}` : ''}</text>`;
  });
  const levels = Array.from({ length: (most - least) / 2 + 1 }, (_, i) => least + 2 * i).map((value) => `<path d="M${left} ${y(value)}H${width - 8}" stroke="#e5e7eb"/><text x="${left - 8}" y="${Number(y(value)) + 4}" text-anchor="end">$${value}</text>`);
  const quarters = asked.map((record, i) => {
    const { year, quarter } = truthOf(record);
    return `<text x="${x(i)}" y="${height - bottom + 18}" text-anchor="middle">Q${quarter}</text>${quarter === 1 ? `<text x="${x(i)}" y="${height - bottom + 34}" text-anchor="middle" font-weight="600">${year}</text>` : ''}`;
  });
  const before = rows.at(-3)!.forecasts[0]!.text.trim().split('\n')[0]!;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#374151"><rect width="100%" height="100%" fill="#fff"/>
<text x="${left}" y="22" font-size="15" font-weight="600" fill="#111827">Earnings per share of Johnson &amp; Johnson, told one quarter ahead</text>
<text x="${left}" y="42">Medians of ${DRAWN} answers. Before tuning the model says of ${written(truthOf(asked[0]!)).slice(0, 7)}: <tspan font-style="italic">“${before} …”</tspan></text>
${[...levels, ...quarters, ...curves, ...legend].join('\n')}
</svg>
`;
}
