import type { Alternative } from '../../generate/types.js';
import type { Arguments } from './arguments.js';
import { bar, json, table } from './format.js';
import { encodingOptions, loadModel, promptOf } from './loading.js';
import { interruptible, printLine, ProgressBar, tableWidth } from './terminal.js';
import { widthOf, wrap } from './width.js';

const SHOWN = 10;
const BAR_WIDTH = 40;

/** What the model thinks comes next, most likely first: bars, or --json. */
export async function next(args: Arguments): Promise<number> {
  const prompt = await promptOf(args);
  return interruptible(async (signal) => {
    const progress = new ProgressBar();
    using model = await loadModel(args, signal);
    const generation = model.generate(prompt, { maxTokens: 1, temperature: 0, ...encodingOptions(args), top: args.number('top') ?? Math.min(SHOWN, model.info.vocabulary), signal, onProgress: progress.update });
    const { value } = await generation.next();
    progress.end();
    const { entropy, top } = value!;
    const rows = top.map(({ id, text, logprob }) => ({ id, text, logprob, probability: Math.exp(logprob) }));
    await printLine(args.has('json') ? json({ prompt, promptTokens: generation.summary.promptTokens, entropy, next: rows }) : drawing(rows, entropy, tableWidth()));
    return 0;
  });
}

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.001 ? 3 : 1)} %`;

/** One line per token: text, probability, bar; bars are drawn to the scale of the first. */
export function drawing(rows: readonly (Alternative & { probability: number })[], entropy: number, width = Infinity): string {
  const most = rows[0]?.probability ?? 1;
  const rest = Math.max(0, 1 - rows.reduce((sum, { probability }) => sum + probability, 0));
  const numbers = [...rows.map(({ text, probability }) => [JSON.stringify(text), percent(probability), probability] as const), ['all others', percent(rest), rest] as const];
  const labels = Math.max(...numbers.map(([text, share]) => widthOf(text) + widthOf(share)));
  const columns = Math.max(1, Math.min(BAR_WIDTH, width - 1 - labels - 4));
  const lines = numbers.map(([text, share, probability]) => [text, share, bar(probability / most, columns)]);
  return `${table(lines, [1])}\n${wrap(`entropy ${entropy.toFixed(2)} nats: as open as a choice among ${Math.exp(entropy).toFixed(1)} equally likely tokens`, width).join('\n')}`;
}
