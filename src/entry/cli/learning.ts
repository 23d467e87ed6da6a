// What stands around the learning of `train` and `finetune`: where they write, what they go on from, how they are shown and stopped.
import { existsSync } from 'node:fs';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StonechatError } from '../../errors.js';
import type { Arguments } from './arguments.js';
import type { OptionSpec } from './options.js';
import { INTERRUPTED, interruptible, remark } from './terminal.js';
import { TrainDisplay } from './train-display.js';
import { usage } from './usage.js';

/** Numbers by their names in code: `--learning-rate` is `learningRate`. */
export const numbersOf = (args: Arguments, specs: readonly OptionSpec[]): Record<string, number | undefined> =>
  Object.fromEntries(specs.map(({ name }) => [name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()), args.number(name)]));

interface Places {
  readonly output: string;
  readonly checkpoint: string;
  readonly resume: string | undefined;
}

/** `learnt`: what the positional arguments are; `example`: a command that has all it needs. @throws StonechatError `bad-option`, `unavailable`. */
export async function placesOf(args: Arguments, inputs: readonly string[], learnt: string, example: string): Promise<Places> {
  const output = args.text('output');
  if (args.positionals.length === 0) throw usage(`${learnt} to learn from`, 'none', `Write ${example}.`);
  if (!output) throw usage('--output', 'none', `Write ${example}.`);
  const checkpoint = args.text('checkpoint') ?? `${output}.checkpoint`;
  await checkOutput(output, inputs);
  await checkOutput(checkpoint, inputs);
  return { output, checkpoint, resume: resumedFrom(args, checkpoint) };
}

type Learn<Result> = (signal: AbortSignal, display: TrainDisplay) => Promise<Result>;

/** The checkpoint stays until all is written; Ctrl-C leaves it. */
export function learning<Result>(args: Arguments, checkpoint: string, learn: Learn<Result>, conclude: (result: Result, seconds: number) => Promise<void>): Promise<number> {
  return interruptible(async (signal) => {
    const display = new TrainDisplay(args.has('json'));
    const started = performance.now();
    try {
      const result = await learn(signal, display).finally(display.end);
      await conclude(result, (performance.now() - started) / 1000);
      await rm(checkpoint, { force: true });
      return 0;
    } catch (error) {
      if (error instanceof StonechatError && error.code === 'aborted') return stopped(checkpoint);
      throw error;
    }
  });
}

function stopped(checkpoint: string): number {
  process.stderr.write(`Stopped; the state is in ${checkpoint}. Go on by the same command with --resume.\n`);
  return INTERRUPTED;
}

/** A state that is there already is gone on from, or given up, by a word from the user. */
function resumedFrom(args: Arguments, checkpoint: string): string | undefined {
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
