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
import { load, type Model } from 'stonechat';
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

// Asking and judging

interface Answer {
  readonly text: string;
  /** The number behind the name of the quarter asked for; undefined where there is none. */
  readonly value: number | undefined;
  /** Whether there is nothing else. */
  readonly asAsked: boolean;
}

async function answerOf(model: Model, record: readonly Quarter[]): Promise<Answer> {
  let text = '';
  for await (const token of model.generate(promptOf(record), { temperature: 0, maxTokens: 24 })) text += token.text;
  const [whole, name, value] = /^\s*(\d{4} Q\d): (\d+\.\d\d)(?!\d)/.exec(text) ?? [];
  const right = name === written(truthOf(record)).slice(0, 7);
  return { text, value: right ? Number(value) : undefined, asAsked: right && text.trim() === whole!.trim() };
}

interface Row {
  readonly name: string;
  readonly answers: readonly Answer[];
}

/** By a rule instead of a model. */
const ruled = (name: string, rule: (values: readonly number[]) => number): Row => ({
  name,
  answers: asked.map((record) => ({ text: '', value: rule(record.slice(0, 8).map(({ value }) => value)), asAsked: true })),
});
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** [off by, truth] of all answers that name the quarter. */
const errorsOf = ({ answers }: Row) => answers.flatMap(({ value }, i): [number, number][] => (value === undefined ? [] : [[Math.abs(value - truthOf(asked[i]!).value), truthOf(asked[i]!).value]]));
const percent = (row: Row): string => `${((100 * sum(errorsOf(row).map(([error, truth]) => error / truth))) / errorsOf(row).length).toFixed(1)} %`;
const dollars = (row: Row): string => `$${(sum(errorsOf(row).map(([error]) => error)) / errorsOf(row).length).toFixed(2)}`;

const rows: Row[] = [
  ruled('repeat the last quarter', (values) => values[7]!),
  ruled('repeat the quarter four back', (values) => values[4]!),
  ruled('that, times the growth of the year', (values) => (values[4]! * sum(values.slice(4))) / sum(values.slice(0, 4))),
];

async function judge(name: string, model: Model): Promise<void> {
  const answers: Answer[] = [];
  for (const record of asked) answers.push(await answerOf(model, record));
  model.dispose();
  rows.push({ name, answers });
  console.log(`${name}: ${answers.slice(0, 3).map(({ text }) => JSON.stringify(text)).join(' ')}`);
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

console.log('\n| | names the quarter | and ends there | mean absolute error | of the truth |\n|---|---|---|---|---|');
for (const row of rows) {
  const answered = errorsOf(row).length;
  const ended = row.answers.filter(({ asAsked }) => asAsked).length;
  console.log(`| ${row.name} | ${answered} of ${asked.length} | ${ended} | ${answered ? `${dollars(row)} | ${percent(row)}` : 'no number | '} |`);
}
writeFileSync(join(args.folder, 'answers.json'), JSON.stringify({ asked: asked.map((record) => written(truthOf(record))), rows }, null, 1));
if (!args.validate) writeFileSync(args.figure, figure());

function figure(): string {
  const [width, height, left, top, bottom] = [760, 420, 46, 112, 48];
  const truth = asked.map((record) => truthOf(record).value);
  const most = 2 * Math.ceil((Math.max(...truth) + 1) / 2);
  const x = (i: number): string => (left + 18 + (i * (width - left - 44)) / (asked.length - 1)).toFixed(1);
  const y = (value: number): string => (height - bottom - (Math.min(value, most) / most) * (height - top - bottom)).toFixed(1);
  const shown: [row: Row, colour: string, dash: string][] = [
    [{ name: 'what happened', answers: truth.map((value) => ({ text: '', value, asAsked: true })) }, '#111827', ''],
    [rows[0]!, '#94a3b8', '2 4'], [rows[1]!, '#64748b', '7 4'], [rows.at(-2)!, '#c2410c', ''], [rows.at(-1)!, '#0f766e', ''],
  ];
  const curves = shown.map(([{ answers }, colour, dash]) => {
    const points = answers.flatMap(({ value }, i) => (value === undefined ? [] : [[x(i), y(value)] as const]));
    const dots = dash ? [] : points.map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`);
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="${dash ? 1.5 : 2}" stroke-dasharray="${dash}"/>${dots.join('')}`;
  });
  const legend = shown.map(([row, colour, dash], i) => {
    const [at, line] = [left + (i % 3) * 236, 66 + 18 * Math.floor(i / 3)];
    return `<path d="M${at} ${line - 4}h22" stroke="${colour}" stroke-width="2" stroke-dasharray="${dash}"/><text x="${at + 28}" y="${line}">${row.name}${i ? `: off by ${percent(row)}` : ''}</text>`;
  });
  const levels = Array.from({ length: most / 2 + 1 }, (_, i) => `<path d="M${left} ${y(2 * i)}H${width - 8}" stroke="#e5e7eb"/><text x="${left - 8}" y="${Number(y(2 * i)) + 4}" text-anchor="end">$${2 * i}</text>`);
  const quarters = asked.map((record, i) => {
    const { year, quarter } = truthOf(record);
    return `<text x="${x(i)}" y="${height - bottom + 18}" text-anchor="middle">Q${quarter}</text>${quarter === 1 ? `<text x="${x(i)}" y="${height - bottom + 34}" text-anchor="middle" font-weight="600">${year}</text>` : ''}`;
  });
  const before = rows.at(-3)!.answers[0]!.text.trim().split('\n')[0]!;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#374151"><rect width="100%" height="100%" fill="#fff"/>
<text x="${left}" y="22" font-size="15" font-weight="600" fill="#111827">Earnings per share of Johnson &amp; Johnson, told one quarter ahead</text>
<text x="${left}" y="42">Asked for ${written(truthOf(asked[0]!)).slice(0, 7)} before tuning, the model says: <tspan font-style="italic">“${before} …”</tspan></text>
${[...levels, ...quarters, ...curves, ...legend].join('\n')}
</svg>
`;
}
