import { rm } from 'node:fs/promises';
import type { Quantisation } from '../../train/quantize.js';
import { type ConvertOptions, type ConvertResult, createWriter } from '../write.js';
import type { Arguments } from './arguments.js';
import { bytes, json, table } from './format.js';
import { host } from './loading.js';
import { printLine, ProgressBar } from './terminal.js';
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
  const { files } = await write(from, to, { format, ...typesOf(args) }).catch(async (error: unknown) => {
    if (made !== undefined) await rm(made, { recursive: true });
    throw error;
  });
  const written = files.map(({ name, fileBytes }) => ({ path: name, fileBytes }));
  await printLine(args.has('json') ? json({ from, to, files: written }) : table(written.map(({ path, fileBytes }) => [path, bytes(fileBytes)]), [1]));
  return 0;
}

export const typesOf = (args: Arguments): ConvertOptions => ({ type: args.text('type') as Quantisation | undefined, pure: args.has('pure'), tokenizer: args.text('tokenizer') });

/** Shows a bar while it takes long. */
export async function write(from: string, to: string, options: ConvertOptions): Promise<ConvertResult> {
  const progress = new ProgressBar();
  try {
    return await writer.convert(from, { ...options, output: to, onProgress: (done, total) => progress.update({ phase: 'write', done, total }) });
  } finally {
    progress.end();
  }
}
