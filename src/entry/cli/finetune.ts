import { stat } from 'node:fs/promises';
import type { TuningExample } from '../../train/data/examples.js';
import { placed } from '../../train/tuning/dataset.js';
import type { TuningEvent, TuningResult, TuningStart } from '../../train/tuning/finetune.js';
import { createTuner, type FinetuneOptions } from '../tune.js';
import type { Arguments } from './arguments.js';
import { bytes, count, duration, json, several } from './format.js';
import { fallbackLines, warn } from './convert.js';
import { host, modelOf, modelPaths, templateOf } from './loading.js';
import { parseJson } from './json.js';
import { documentsOf, linesOf, readTextFile } from './texts.js';
import { learning, numbersOf, placesOf } from './learning.js';
import { TUNING_NUMBERS } from './options.js';
import { printLine } from './terminal.js';
import type { TrainDisplay } from './train-display.js';
import { usage } from './usage.js';

/** Examples to a tuned model, or to an adapter. */
export async function finetune(args: Arguments): Promise<number> {
  const { output, checkpoint, resume } = await placesOf(args, 'examples', 'stonechat finetune -m base.gguf examples.jsonl -o tuned.gguf');
  const options = { ...(await tuningOptions(args)), output, checkpoint, resume };
  const [model, examples] = [await modelOf(args), await readExamples(args.positionals)];
  return learning(
    args, checkpoint,
    (signal, display) => createTuner(host).finetune(model, examples, { ...options, signal, onEvent: (event) => show(event, display, args.has('json')) }),
    (result, seconds) => conclude(args, result, output, seconds),
  );
}

async function tuningOptions(args: Arguments): Promise<FinetuneOptions> {
  const validation = args.texts('validation');
  const [rank, alpha, targets, beta] = [args.number('rank'), args.number('alpha'), args.text('targets')?.split(','), args.number('beta')];
  const lora = { ...(rank !== undefined && { rank }), ...(alpha !== undefined && { alpha }), ...(targets && { targets }) };
  if (!args.has('lora') && Object.keys(lora).length > 0) throw usage('--lora beside --rank, --alpha, --targets', 'none', 'Add --lora to train an adapter.');
  if (!args.has('dpo') && beta !== undefined) throw usage('--dpo beside --beta', 'none', 'Add --dpo to learn from preferences.');
  return {
    ...(numbersOf(args, TUNING_NUMBERS) as FinetuneOptions),
    lora: args.has('lora') ? lora : undefined,
    dpo: args.has('dpo') ? { ...(beta !== undefined && { beta }) } : undefined,
    validation: validation.length > 0 ? await readExamples(validation) : undefined,
    dequantize: args.has('dequantize') || undefined,
    longExamples: args.text('long-examples') as FinetuneOptions['longExamples'],
    keepWeights: args.text('keep-weights') as FinetuneOptions['keepWeights'],
    type: args.text('type') as FinetuneOptions['type'],
    chatTemplate: await templateOf(args.text('template')),
    contents: args.text('contents') as FinetuneOptions['contents'],
    parseSpecial: args.has('parse-special') || undefined,
    name: args.text('name'),
    build: args.text('build') as FinetuneOptions['build'],
    fusedMultiplyAdd: args.has('fused-multiply-add') || undefined,
  };
}

/** Examples of all files: lines or an array of JSON, or the documents of a text. */
async function readExamples(paths: readonly string[]): Promise<TuningExample[]> {
  const examples: TuningExample[] = [];
  for (const path of paths) for await (const example of examplesOf(path)) examples.push(example);
  return examples;
}

async function* examplesOf(path: string): AsyncGenerator<TuningExample> {
  if (!/\.jsonl?$/i.test(path)) yield* documentsOf([path]);
  else if (await beginsWithList(path)) yield* listIn(await readTextFile(path), path);
  else yield* linesIn(path);
}

const listIn = (text: string, path: string): TuningExample[] =>
  (parseJson(text, path) as TuningExample[]).map((example, i) => placed(example, `example ${i + 1} of ${path}`));

async function* linesIn(path: string): AsyncGenerator<TuningExample> {
  let number = 0;
  for await (const line of linesOf(path)) {
    const where = `line ${++number} of ${path}`;
    if (line.trim() !== '') yield placed(parseJson(line, where) as TuningExample, where);
  }
}

async function beginsWithList(path: string): Promise<boolean> {
  for await (const line of linesOf(path)) if (line.trim() !== '') return line.trimStart().startsWith('[');
  return false;
}

function show(event: TuningEvent, display: TrainDisplay, asJson: boolean): void {
  if (event.kind !== 'start') return display.show(event);
  if (asJson) process.stdout.write(`${json(event)}\n`);
  else display.notes.say(display.begin(begin(event)));
  for (const warning of event.warnings) process.stderr.write(`Warning: ${warning}.\n`);
}

/** What is about to be done. */
function begin({ settings, parameters, examples, validationExamples, trainingTokens, memory, threads, build, resumed }: TuningStart): string {
  const { lora, beta, batch, context, steps } = settings;
  const what = lora ? `an adapter of rank ${lora.rank} (alpha ${lora.alpha})` : 'all weights';
  const how = beta === undefined ? '' : `, by preferences (beta ${beta})`;
  return `${what}${how}: ${several(parameters, 'parameter')} learn from ${several(examples, 'example')}, ${count(trainingTokens)} of their tokens; ${count(validationExamples)} to validate; ${several(steps, 'step')} of ${batch} x ${context}; ${bytes(memory.total)}; ${several(threads, 'thread')}, ${build}${resumed ? `; going on after step ${count(resumed)}` : ''}`;
}

async function conclude(args: Arguments, { settings, parameters, step, before, after, skipped, cut, longest, fallbacks }: TuningResult, output: string, seconds: number): Promise<void> {
  const { size } = await stat(output);
  const done = { kind: 'done', files: [output], fileBytes: size, parameters, step, before, after, skipped, cut, fallbacks, seconds };
  if (args.has('json')) return printLine(json(done));
  const judged = before && after ? `validation loss ${before.loss.toFixed(4)} before, ${after.loss.toFixed(4)} after` : 'not validated';
  const preferred = after?.accuracy === undefined ? '' : `, ${(100 * after.accuracy).toFixed(0)} % of the chosen answers preferred`;
  await printLine(`${output}: ${bytes(size)}, ${several(parameters, 'parameter')}, weights of step ${count(step)}, ${judged}${preferred}; ${duration(seconds)}`);
  for (const line of fallbackLines(fallbacks)) warn(args, line);
  if (skipped > 0) process.stderr.write(`${several(skipped, 'example')} longer than ${longest} tokens left out (--long-examples cut keeps their beginnings).\n`);
  if (cut > 0) process.stderr.write(`${several(cut, 'example')} cut to ${longest} tokens.\n`);
  const base = modelPaths(args).map((path) => `-m ${path} `).join('');
  await printLine(settings.lora ? `Try it: stonechat ${base}--lora ${output} "…"` : `Try it: stonechat -m ${output} "…"`);
}
