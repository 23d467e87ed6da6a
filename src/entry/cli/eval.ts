import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StonechatError } from '../../errors.js';
import type { Model } from '../../generate/types.js';
import { Calibrator, type Calibration, type ChoiceQuestion, judgeChoices, judgeLastWords, type JudgeOptions, judgePairs, perplexity, reliabilitySvg, type Score, type SentencePair, standardError } from '../../judge/index.js';
import type { Arguments } from './arguments.js';
import { bar, count, json } from './format.js';
import { encodingOptions, loadModel } from './loading.js';
import { documentsOf, jsonLinesOf } from './texts.js';
import { Notes } from './notes.js';
import { interruptible, printableTable, printLine, ProgressBar } from './terminal.js';
import { usage } from './usage.js';
import { checkOutputs, saveText } from './writing.js';

const BAR_WIDTH = 30;

type Json = Record<string, unknown>;

/** The measures asked for, one after another; with --json one object. */
export async function evaluate(args: Arguments): Promise<number> {
  const measures = MEASURES.filter(({ option }) => args.has(option));
  if (measures.length === 0) throw usage('something to judge by', 'nothing', `Name at least one of ${MEASURES.map(({ option }) => `--${option} FILE`).join(', ')}.`);
  await checkOutputs(args, [args.text('picture')]);
  return interruptible(async (signal) => {
    using model = await loadModel(args, signal);
    const results: Json = { model: model.info.name };
    new Notes(args).say(`judging ${model.info.name} by ${measures.map(({ option }) => `--${option} ${args.text(option)!}`).join(', ')}`);
    for (const { option, run } of measures) results[option] = await run(model, args.text(option)!, args, signal);
    if (args.has('json')) await printLine(json(results));
    return 0;
  });
}

interface Measure {
  readonly option: string;
  /** Prints what it found unless JSON is asked for; returns it. */
  readonly run: (model: Model, path: string, args: Arguments, signal: AbortSignal) => Promise<unknown>;
}

const MEASURES: readonly Measure[] = [
  { option: 'text', run: judgeText },
  { option: 'blimp', run: (model, path, args, signal) => judgeFiles(args, path, signal, (items, options) => judgePairs(model, items.map(pairOf), options)) },
  { option: 'choices', run: (model, path, args, signal) => judgeFiles(args, path, signal, (items, options) => judgeChoices(model, items.map(choiceOf), options)) },
  { option: 'lambada', run: (model, path, args, signal) => judgeFiles(args, path, signal, (items, options) => judgeLastWords(model, items.map(textOf), options)) },
];

async function withProgress<T>(args: Arguments, signal: AbortSignal, work: (options: JudgeOptions) => Promise<T>): Promise<T> {
  const progress = new ProgressBar(new Notes(args));
  try {
    return await work({ ...encodingOptions(args), signal, onProgress: (done, total) => progress.update({ phase: 'judge', done, total }) });
  } finally {
    progress.end();
  }
}

async function judgeText(model: Model, path: string, args: Arguments, signal: AbortSignal): Promise<unknown> {
  const texts: string[] = [];
  for await (const text of documentsOf([path], args.escaped('separator'))) if (texts.push(text) >= limitOf(args)) break;
  const calibrator = new Calibrator();
  const found = await withProgress(args, signal, (options) =>
    perplexity(model, texts, { ...options, window: args.number('window'), stride: args.number('stride'), top: 1, onToken: calibrator.add }));
  const calibration = calibrator.result();
  const picture = args.text('picture');
  if (picture) await saveText(picture, reliabilitySvg(calibration));
  if (!args.has('json')) {
    await printLine(`${path}: perplexity ${found.perplexity.toFixed(3)} per token, ${found.bitsPerByte.toFixed(4)} bits per byte (${count(found.tokens)} tokens, ${count(found.bytes)} bytes, ${found.windows} windows${texts.length > 1 ? ` of ${count(texts.length)} documents` : ''})`);
    await printLine(calibrationTable(calibration));
  }
  return { file: path, documents: texts.length, ...found, calibration };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function calibrationTable({ bins, expectedCalibrationError, accuracy, confidence }: Calibration): string {
  const rows = bins.filter((bin) => bin.count > 0).map((bin) => [`${percent(bin.from)} to ${percent(bin.to)}`, count(bin.count), percent(bin.confidence), percent(bin.accuracy), bar(bin.accuracy, BAR_WIDTH)]);
  return [
    `calibration: said ${percent(confidence)}, right ${percent(accuracy)}, expected calibration error ${percent(expectedCalibrationError)}`,
    printableTable([['probability', 'tokens', 'said', 'right', ''], ...rows], [1, 2, 3]),
  ].join('\n');
}

/** Runs a task over a file, or over every .jsonl file of a folder; prints a line for each and the mean. */
async function judgeFiles<S extends Score>(args: Arguments, path: string, signal: AbortSignal, judge: (items: Json[], options: JudgeOptions) => Promise<S>): Promise<unknown> {
  const files = await filesIn(path);
  const scores: (S & { file: string })[] = [];
  for (const file of files) {
    const items = await itemsOf(file, limitOf(args));
    const score = { file, ...(await withProgress(args, signal, (options) => judge(items, options))) };
    scores.push(score);
    if (!args.has('json')) await printLine(scoreLine(score));
  }
  const mean = scores.reduce((sum, { accuracy }) => sum + accuracy, 0) / scores.length;
  if (!args.has('json') && scores.length > 1) await printLine(`mean of ${scores.length} files: ${percent(mean)}`);
  return { accuracy: mean, files: scores };
}

function scoreLine(score: Score & { file: string; accuracyNormalised?: number; perplexity?: number }): string {
  const { file, items, accuracy, chance, accuracyNormalised, perplexity: ppl } = score;
  const more = [accuracyNormalised === undefined ? '' : `${percent(accuracyNormalised)} by the byte`, ppl === undefined ? '' : `perplexity ${count(ppl)}`, chance ? `chance ${percent(chance)}` : ''];
  return `${file}: ${percent(accuracy)} ± ${percent(standardError(score))} of ${count(items)}${more.filter(Boolean).map((text) => `, ${text}`).join('')}`;
}

async function filesIn(path: string): Promise<string[]> {
  const info = await stat(path).catch((cause: Error) => {
    throw new StonechatError({ code: 'not-found', expected: `a file or folder ${path}`, found: cause.message, remedy: 'Check the path.', cause });
  });
  if (!info.isDirectory()) return [path];
  return (await readdir(path)).filter((name) => name.endsWith('.jsonl')).sort().map((name) => join(path, name));
}

/** How many of each file are judged. @throws StonechatError `bad-option` */
function limitOf(args: Arguments): number {
  const limit = args.number('limit') ?? Infinity;
  if (limit === Infinity || (Number.isInteger(limit) && limit >= 1)) return limit;
  throw usage('--limit to be a whole number of at least 1', String(limit), 'Leave it out for all.');
}

async function itemsOf(file: string, limit: number): Promise<Json[]> {
  const items: Json[] = [];
  for await (const item of jsonLinesOf(file, limit)) {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) throw unlike(item, `a JSON object in line ${items.length + 1} of ${file}`);
    items.push(item as Json);
  }
  return items;
}

const unlike = (item: unknown, expected: string) =>
  new StonechatError({ code: 'bad-file', expected, found: JSON.stringify(item).slice(0, 80), remedy: 'See docs/judging.md for the fields of each task.' });

const field = <T>(item: Json, names: readonly string[], check: (value: unknown) => value is T): T => {
  const value = names.map((name) => item[name]).find((one) => one !== undefined);
  if (check(value)) return value;
  throw unlike(item, `a field ${names.join(' or ')} in each line`);
};
const isText = (value: unknown): value is string => typeof value === 'string';
const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
const isIndex = (value: unknown): value is number => Number.isInteger(value);

const pairOf = (item: Json): SentencePair => ({ good: field(item, ['sentence_good', 'good'], isText), bad: field(item, ['sentence_bad', 'bad'], isText) });
const textOf = (item: Json): string => field(item, ['text'], isText);
function choiceOf(item: Json): ChoiceQuestion {
  const choices = field(item, ['choices'], isTexts), answer = field(item, ['answer_idx', 'answer'], isIndex);
  if (choices.length === 0 || answer < 0 || answer >= choices.length) throw unlike(item, 'choices, and as answer_idx the place of one of them (from 0), in each line');
  return { prompt: field(item, ['prompt', 'question'], isText), choices, answer };
}
