import { rm } from 'node:fs/promises';
import { LAYOUTS } from '../../files/dtypes.js';
import type { Quantisation } from '../../train/convert/quantize.js';
import { type ConvertOptions, type ConvertResult, createWriter, type Fallback } from '../write.js';
import type { Arguments } from './arguments.js';
import { bytes, json, several, table } from './format.js';
import { host } from './loading.js';
import { Notes } from './notes.js';
import { interruptible, printLine, ProgressBar } from './terminal.js';
import { usage } from './usage.js';
import { makeFolder } from './writing.js';

const writer = createWriter(host);

/** A model in another format: GGUF where the output is named so, else a Hugging Face folder. */
export async function convert(args: Arguments): Promise<number> {
  const [from, to, ...rest] = args.positionals;
  if (!from || !to || rest.length > 0) throw usage('what to read, and what to write', args.positionals.join(' ') || 'none', 'Write stonechat convert in.gguf folder/, or stonechat convert folder/ out.gguf.');
  if (/\.(safetensors|bin|json)$/.test(to)) throw usage('a .gguf file or a folder to write', to, 'A Hugging Face model is a folder (config.json, model.safetensors, tokenizer.json): name one.');
  const format = to.endsWith('.gguf') ? 'gguf' : 'huggingface';
  const made = format === 'huggingface' ? await makeFolder(to) : undefined;
  const result = await write(args, from, to, { format, ...typesOf(args) }).catch(async (error: unknown) => {
    if (made !== undefined) await rm(made, { recursive: true });
    throw error;
  });
  const { files, type, fallbacks, lost } = result;
  const written = files.map(({ name, fileBytes }) => ({ path: name, fileBytes }));
  if (type !== undefined && !args.has('type')) warn(args, `The matrices of ${from} are quantised, which safetensors cannot say: written as ${type} (--type bf16 or f32 for others).`);
  sayTypes(args, result, from, to);
  await printLine(args.has('json') ? json({ from, to, type, files: written, fallbacks, lost }) : table(written.map(({ path, fileBytes }) => [path, bytes(fileBytes)]), [1]));
  return 0;
}

export const typesOf = (args: Arguments): ConvertOptions => ({ type: args.text('type') as Quantisation | undefined, quantizeOutput: args.has('quantize-output'), force: args.has('force'), tokenizer: args.text('tokenizer') });

/** Shows a bar while it takes long. Ctrl-C and SIGTERM leave nothing behind. */
export function write(args: Arguments, from: string, to: string, options: ConvertOptions): Promise<ConvertResult> {
  const notes = new Notes(args);
  notes.say(`writing ${to} from ${from}${options.type ? ` as ${options.type}` : ''}`);
  return interruptible(async (signal) => {
    const progress = new ProgressBar(notes);
    try {
      return await writer.convert(from, { ...options, output: to, signal, onProgress: (done, total) => progress.update({ phase: 'write', done, total }) });
    } finally {
      progress.end();
    }
  }, ['SIGINT', 'SIGTERM']);
}

/** What somebody should know of the result: on standard error, also where that is no terminal. */
export function warn(args: Arguments, text: string): void {
  if (!args.has('json')) process.stderr.write(`${text}\n`);
}

/** Which tensors have another type than was asked for, and whether the result has grown. */
export function sayTypes(args: Arguments, { fallbacks, files, lost, sourceBytes, type }: ConvertResult, from: string, to: string): void {
  for (const line of fallbackLines(fallbacks)) warn(args, line);
  if (lost.length) warn(args, `lost: ${lost.join('; ')}`);
  const after = files.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  if (type !== undefined && after > sourceBytes) warn(args, `${to} is larger than ${from}: ${bytes(after)}, and ${bytes(sourceBytes)} before.`);
}

/** Layers together: `q5_0 in place of q4_K (rows of 576 are no multiple of 256): blk.*.attn_q.weight (30 tensors)`. */
export function fallbackLines(fallbacks: readonly Fallback[]): string[] {
  const groups = new Map<string, Map<string, number>>();
  for (const { tensor, columns, meant, type } of fallbacks) {
    const title = `${type} in place of ${meant} (rows of ${columns} are no multiple of ${LAYOUTS[meant].elements})`;
    const names = groups.get(title) ?? new Map<string, number>();
    const name = tensor.replace(/^blk\.\d+\./, 'blk.*.');
    groups.set(title, names.set(name, (names.get(name) ?? 0) + 1));
  }
  return [...groups].map(([title, names]) => `${title}: ${[...names].map(([name, count]) => (count > 1 ? `${name} (${several(count, 'tensor')})` : name)).join(', ')}`);
}
