import { StonechatError } from '../../errors.js';
import type { Generation, Model } from '../../generate/types.js';
import type { Arguments } from './arguments.js';
import { count, json, several } from './format.js';
import { answerOptions, loadModel, promptOf } from './loading.js';
import { INTERRUPTED, interruptible, print, printLine, ProgressBar, remark } from './terminal.js';

/** Streams text, or with --json one object per token and a last one with the summary. */
export async function generate(args: Arguments): Promise<number> {
  const prompt = await promptOf(args);
  return interruptible(async (signal) => {
    const progress = new ProgressBar();
    using model = await loadModel(args, signal);
    const asJson = args.has('json');
    const options = { top: asJson ? undefined : 0, ...withoutUndefined(answerOptions(args)), hashLogits: asJson, signal, onProgress: progress.update };
    const generation = model.generate(prompt, options);
    if (!asJson && typeof prompt === 'string' && !args.has('no-echo')) await print(prompt);
    const finished = await stream(generation, asJson, progress);
    if (asJson) await printLine(json(summaryOf(generation, model)));
    else {
      await endText(generation);
      if (finished) remarkOnNothing(generation, model, prompt);
    }
    return finished ? 0 : INTERRUPTED;
  });
}

const withoutUndefined = <T extends object>(options: T): T => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;

/** Prints the tokens as they come; false when interrupted. */
async function stream(generation: Generation, asJson: boolean, progress: ProgressBar): Promise<boolean> {
  try {
    for await (const token of generation) {
      progress.end();
      await (asJson ? printLine(json(token)) : print(token.text));
    }
    return true;
  } catch (error) {
    if (error instanceof StonechatError && error.code === 'aborted') return false;
    throw error;
  } finally {
    progress.end();
  }
}

async function endText({ summary }: Generation): Promise<void> {
  if (!summary.text.endsWith('\n')) await print('\n');
  remark(`${several(summary.tokens, 'token')} (${summary.finish}), ${count(summary.decodeTokensPerSecond)} tokens/s, prompt of ${summary.promptTokens} at ${count(summary.prefillTokensPerSecond)} tokens/s, seed ${summary.seed}`);
}

/** An instruction model that is given a text to go on with may end it at once: then it should be spoken to. */
function remarkOnNothing({ summary }: Generation, { tokenizer }: Model, prompt: string | number[]): void {
  if (summary.text.trim() !== '' || summary.finish !== 'eos' || typeof prompt !== 'string') return;
  const advice = tokenizer.chatTemplate === undefined ? 'Another --seed, or --ignore-eos, lets it go on.' : 'It has a chat template: stonechat chat speaks to it.';
  process.stderr.write(`stonechat: the model ended the text at once. ${advice}\n`);
}

/** The last object of --json: what scripts rely on. */
export function summaryOf({ summary }: Generation, { info }: Model): Record<string, unknown> {
  return { ...summary, build: info.build, threads: info.threads };
}
