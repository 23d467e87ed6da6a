import { stat } from 'node:fs/promises';
import type { Quantisation } from '../../train/convert/quantize.js';
import { createTuner } from '../tune.js';
import type { Arguments } from './arguments.js';
import { fallbackLines, warn } from './convert.js';
import { bytes, json, several } from './format.js';
import { adaptersOf, host, modelOf } from './loading.js';
import { Notes } from './notes.js';
import { interruptible, printLine, ProgressBar } from './terminal.js';
import { usage } from './usage.js';
import { checkOutputs } from './writing.js';

/** A model and adapters to one model. */
export async function merge(args: Arguments): Promise<number> {
  const model = await modelOf(args);
  const lora = adaptersOf(args);
  const output = args.text('output');
  if (lora.length === 0) throw usage('--lora', 'none', 'Write stonechat merge -m base.gguf --lora a.gguf -o merged.gguf.');
  if (!output) throw usage('--output', 'none', 'Write stonechat merge -m base.gguf --lora a.gguf -o merged.gguf.');
  await checkOutputs(args, [output]);
  const progress = new ProgressBar(new Notes(args));
  const onProgress = (done: number, total: number) => progress.update({ phase: 'write', done, total });
  const { requantised, fallbacks } = await interruptible((signal) =>
    createTuner(host).merge(model, { lora, output, type: args.text('type') as Quantisation | undefined, signal, onProgress }).finally(progress.end), ['SIGINT', 'SIGTERM']);
  const { size } = await stat(output);
  const rounded = Object.entries(requantised);
  if (args.has('json')) return printLine(json({ path: output, fileBytes: size, requantised, fallbacks })).then(() => 0);
  await printLine(`${output}: ${bytes(size)}`);
  for (const line of fallbackLines(fallbacks)) warn(args, line);
  for (const [type, count] of rounded) process.stderr.write(`${several(count, 'weight')} quantised anew (${type}): what the adapters add is rounded with them. --type q8_0 or f16 keeps more of it.\n`);
  return 0;
}
