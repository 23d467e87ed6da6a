// What stands around the learning of `train` and `finetune`: where they write, what they go on from, how they are shown and stopped.
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { StonechatError } from '../../errors.js';
import type { Arguments } from './arguments.js';
import type { OptionSpec } from './options.js';
import { INTERRUPTED, interruptible, remark } from './terminal.js';
import { TrainDisplay } from './train-display.js';
import { usage } from './usage.js';
import { checkOutputs } from './writing.js';

/** Numbers by their names in code: `--learning-rate` is `learningRate`. */
export const numbersOf = (args: Arguments, specs: readonly OptionSpec[]): Record<string, number | undefined> =>
  Object.fromEntries(specs.map(({ name }) => [name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()), args.number(name)]));

interface Places {
  readonly output: string;
  readonly checkpoint: string;
  readonly resume: string | undefined;
}

/**
 * `learnt`: what the positional arguments are; `example`: a command that has all it needs; `beside`: what else will be written.
 * @throws StonechatError `bad-option`, `unavailable`.
 */
export async function placesOf(args: Arguments, learnt: string, example: string, beside: (output: string) => readonly string[] = () => []): Promise<Places> {
  const output = args.text('output');
  if (args.positionals.length === 0) throw usage(`${learnt} to learn from`, 'none', `Write ${example}.`);
  if (!output) throw usage('--output', 'none', `Write ${example}.`);
  const checkpoint = args.text('checkpoint') ?? `${output}.checkpoint`;
  await checkOutputs(args, [output, checkpoint, ...beside(output)], args.positionals);
  return { output, checkpoint, resume: resumedFrom(args, checkpoint) };
}

type Learn<Result> = (signal: AbortSignal, display: TrainDisplay) => Promise<Result>;

/** The checkpoint stays until all is written; Ctrl-C leaves it. */
export function learning<Result>(args: Arguments, checkpoint: string, learn: Learn<Result>, conclude: (result: Result, seconds: number) => Promise<void>): Promise<number> {
  return interruptible(async (signal) => {
    const display = new TrainDisplay(args, checkpoint);
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
  }, ENDS);
}

/** What ends the work, after a checkpoint. */
const ENDS = ['SIGINT', 'SIGTERM'] as const;

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
