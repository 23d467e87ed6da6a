import type { Arguments } from './arguments.js';
import { json, tokenText } from './format.js';
import { encodingOptions, loadModel, promptOf } from './loading.js';
import { interruptible, printableTable, printLine } from './terminal.js';

const SHOWN = 10;

/** The logits of the last position: the largest, or with --json all of them. */
export async function logits(args: Arguments): Promise<number> {
  const prompt = await promptOf(args);
  return interruptible(async (signal) => {
    using model = await loadModel(args, signal);
    const values = await model.logits(prompt, { ...encodingOptions(args), signal });
    if (args.has('json')) await printLine(json(typeof prompt === 'string' ? { prompt, logits: values } : { ids: prompt, logits: values }));
    else {
      const name = (id: number) => (id < model.tokenizer.size ? JSON.stringify(tokenText(model.tokenizer, id)) : '');
      const largest = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b).slice(0, SHOWN);
      await printLine(printableTable(largest.map((id) => [String(id), values[id]!.toFixed(4), name(id)]), [0, 1]));
    }
    return 0;
  });
}
