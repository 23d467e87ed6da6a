import { existsSync } from 'node:fs';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StonechatError } from '../../errors.js';
import { lossSvg, reportHtml } from '../../train/report.js';
import type { TrainResult } from '../../train/result.js';
import { createTrainer, type ModelConfig, type TrainOptions } from '../train.js';
import type { Arguments } from './arguments.js';
import { bytes, count, duration, json, several } from './format.js';
import { host, readTextFile } from './loading.js';
import { TRAINING_NUMBERS } from './options.js';
import { INTERRUPTED, interruptible, printLine, remark } from './terminal.js';
import { TrainDisplay } from './train-display.js';
import { usage } from './usage.js';

const { train: trainModel } = createTrainer(host);
export const camel = (name: string): string => name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Corpus files to a GGUF model, with a report beside it. */
export async function train(args: Arguments): Promise<number> {
  if (args.positionals.length === 0) throw usage('a text to learn from', 'none', 'Write stonechat train corpus.txt -o model.gguf.');
  const output = args.text('output');
  if (!output) throw usage('--output', 'none', 'Write stonechat train corpus.txt -o model.gguf.');
  const checkpoint = args.text('checkpoint') ?? `${output}.checkpoint`;
  await checkOutput(output, [...args.positionals, ...args.texts('validation')]);
  await checkOutput(checkpoint, args.positionals);
  const resume = resumedFrom(args, checkpoint);
  const options = { ...(await trainOptions(args)), output, checkpoint, resume };
  const corpus = await readTexts(args.positionals);
  return interruptible(async (signal) => {
    const display = new TrainDisplay(args.has('json'));
    const started = performance.now();
    try {
      const result = await trainModel(corpus, { ...options, signal, onEvent: display.show });
      display.end();
      await conclude(args, result, output, (performance.now() - started) / 1000);
      await rm(checkpoint, { force: true });
      return 0;
    } catch (error) {
      display.end();
      if (error instanceof StonechatError && error.code === 'aborted') return stopped(checkpoint);
      throw error;
    }
  });
}

const readTexts = (paths: readonly string[]): Promise<string[]> => Promise.all(paths.map(readTextFile));

export function stopped(checkpoint: string): number {
  process.stderr.write(`Stopped; the state is in ${checkpoint}. Go on by the same command with --resume.\n`);
  return INTERRUPTED;
}

/** A state that is there already is gone on from, or given up, by a word from the user. */
export function resumedFrom(args: Arguments, checkpoint: string): string | undefined {
  const there = existsSync(checkpoint);
  if (args.has('resume') && !there) remark(`There is no ${checkpoint} yet: training begins anew.`);
  if (!there || args.has('restart')) return undefined;
  if (args.has('resume')) return checkpoint;
  throw usage('no unfinished training', `its checkpoint ${checkpoint}`, 'Add --resume to go on with it, or --restart to give it up.');
}

/** Files that killed runs were writing aside: their process is gone. */
async function sweep(path: string): Promise<void> {
  const folder = dirname(path);
  const isAbandoned = (name: string) => name.startsWith(`${basename(path)}.`) && /\.\d+\.partial$/.test(name) && !isAlive(Number(name.split('.').at(-2)));
  for (const name of (await readdir(folder)).filter(isAbandoned)) await rm(join(folder, name), { force: true });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Before hours are spent: whether the result can be written. @throws StonechatError `unavailable`, `bad-option`. */
export async function checkOutput(path: string, inputs: readonly string[]): Promise<void> {
  if (inputs.includes(path)) throw usage('an output that is none of the texts', path, 'Name another file.');
  const refuse = (found: string, cause?: unknown) =>
    new StonechatError({ code: 'unavailable', expected: `to write ${path}`, found, remedy: 'Check that the folder exists, that it may be written to, and that the disk has room.', cause });
  if ((await stat(path).catch(() => undefined))?.isDirectory()) throw refuse('a folder of that name');
  const trial = `${path}.${process.pid}.partial`;
  await open(trial, 'w').then((file) => file.close(), (cause: Error) => Promise.reject(refuse(cause.message, cause)));
  await rm(trial, { force: true });
  await sweep(path);
}

async function trainOptions(args: Arguments): Promise<TrainOptions> {
  const numbers = TRAINING_NUMBERS.map(({ name }) => [camel(name), args.number(name)]);
  const config = await configOf(args.text('config'));
  const validation = args.texts('validation');
  return {
    ...(Object.fromEntries(numbers) as TrainOptions),
    config,
    validation: validation.length > 0 ? await readTexts(validation) : undefined,
    tokenizer: args.text('tokenizer'),
    samplePrompt: args.text('sample-prompt'),
    separator: args.text('separator')?.replaceAll('\\n', '\n'),
    keep: args.text('keep') as TrainOptions['keep'],
    name: args.text('name') ?? basename(args.text('output')!).replace(/\.gguf$/, ''),
    build: args.text('build') as TrainOptions['build'],
    fusedMultiplyAdd: args.has('fused-multiply-add') || undefined,
  };
}

async function configOf(path: string | undefined): Promise<Partial<ModelConfig> | undefined> {
  if (path === undefined) return undefined;
  const text = await readTextFile(path);
  const refuse = (found: string, cause?: unknown) =>
    new StonechatError({ code: 'bad-file', expected: `a model configuration, { "layers": 4, "embedding": 128 } for instance, in ${path}`, found, remedy: 'See docs/training.md for what may stand in it.', cause });
  try {
    const config = JSON.parse(text) as unknown;
    if (typeof config === 'object' && config !== null && !Array.isArray(config)) return config;
  } catch (cause) {
    throw refuse((cause as Error).message, cause);
  }
  throw refuse('another kind of JSON');
}

/** The pictures beside the model, and the last words. */
async function conclude(args: Arguments, result: TrainResult, output: string, seconds: number): Promise<void> {
  const base = output.replace(/\.gguf$/, '');
  const utf8 = new TextEncoder();
  const { validation, step, parameters, tokens, history } = result;
  const written = [output];
  if (!args.has('no-report')) {
    await host.save(`${base}.loss.svg`, [utf8.encode(lossSvg(history))]);
    await host.save(`${base}.html`, [utf8.encode(reportHtml(result, [['time of this run', duration(seconds)]]))]);
    written.push(`${base}.html`, `${base}.loss.svg`);
  }
  const { size } = await stat(output);
  if (args.has('json')) return printLine(json({ kind: 'done', files: written, fileBytes: size, parameters, tokens, step, validation, seconds }));
  const judged = validation ? `validation perplexity ${validation.perplexity.toFixed(2)}, ${validation.bitsPerByte.toFixed(3)} bits per byte` : 'not validated';
  await printLine(`${written.join(', ')}: ${bytes(size)}, ${several(parameters, 'parameter')}, weights of step ${count(step)}, ${judged}; ${count(tokens)} tokens in ${duration(seconds)}`);
  const folder = dirname(output);
  await printLine(`Try it: stonechat -m ${folder === '.' ? basename(output) : output} "…"`);
}
