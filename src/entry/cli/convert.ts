import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ggufBytes, type GgufContent, writeGguf } from '../../files/gguf-writer.js';
import { readSmallFile } from '../../files/index.js';
import type { ModelFile } from '../../files/types.js';
import { compileTrainKernels } from '../../host/compile-train.js';
import { instantiateTrainKernels, type TrainKernels } from '../../kernels/instance.js';
import { specFromFile, specFromModel } from '../../text/index.js';
import type { TokenizerSpec } from '../../text/spec.js';
import { asGguf, type FolderFile, huggingFaceFolder } from '../../train/convert.js';
import { quantizeModel, type QuantizeOptions, SAME } from '../../train/quantize.js';
import type { Arguments } from './arguments.js';
import { bytes, json, table } from './format.js';
import { host, openFile } from './loading.js';
import { printLine, ProgressBar } from './terminal.js';
import { usage } from './usage.js';

export interface Written {
  readonly path: string;
  readonly fileBytes: number;
}

/** A model in another format: GGUF where the output is named so, else a Hugging Face folder. */
export async function convert(args: Arguments): Promise<number> {
  const [from, to, ...rest] = args.positionals;
  if (!from || !to || rest.length > 0) throw usage('what to read, and what to write', args.positionals.join(' ') || 'none', 'Write stonechat convert in.gguf folder/, or stonechat convert folder/ out.gguf.');
  if (/\.(safetensors|bin|json)$/.test(to)) throw usage('a .gguf file or a folder to write', to, 'A Hugging Face model is a folder (config.json, model.safetensors, tokenizer.json): name one.');
  const type = (args.text('type') ?? SAME) as QuantizeOptions['type'];
  const written = await withContent(from, args.text('tokenizer'), { type, pure: args.has('pure') }, (content, tokenizer) => (to.endsWith('.gguf') ? writeFile(to, content) : writeFolder(to, huggingFaceFolder(content, tokenizer))));
  await printLine(args.has('json') ? json({ from, to, files: written }) : table(written.map(({ path, fileBytes }) => [path, bytes(fileBytes)]), [1]));
  return 0;
}

/** Opens a model of any format, and gives it in GGUF's terms with matrices of the type asked for; shows a bar while it is read. */
export async function withContent<T>(from: string, tokenizer: string | undefined, options: QuantizeOptions, use: (content: GgufContent, tokenizer: TokenizerSpec, file: ModelFile) => Promise<T>): Promise<T> {
  const file = await openFile(from);
  const progress = new ProgressBar();
  try {
    const spec = tokenizer === undefined ? await specFromModel(file) : await specOf(tokenizer);
    const kernels = await trainKernels();
    const content = quantizeModel(asGguf(file, spec, kernels), kernels, { ...options, onProgress: (done, total) => progress.update({ phase: 'write', done, total }) });
    return await use(content, spec, file);
  } finally {
    progress.end();
    await file.close();
  }
}

async function specOf(path: string): Promise<TokenizerSpec> {
  const { name, bytes: content, sibling } = await readSmallFile(path, { open: host.open.bind(host), list: host.list.bind(host) });
  return specFromFile(name, content, sibling);
}

async function trainKernels(): Promise<TrainKernels> {
  const build = host.builds[0]!;
  return instantiateTrainKernels(await host.compile(build, false), await compileTrainKernels(build, false), build);
}

export async function writeFile(path: string, content: GgufContent): Promise<Written[]> {
  await host.save(path, writeGguf(content));
  return [{ path, fileBytes: ggufBytes(content) }];
}

/** Files one by one, each whole or not at all; config.json, by which the folder is known, last. */
async function writeFolder(folder: string, files: readonly FolderFile[]): Promise<Written[]> {
  await mkdir(folder, { recursive: true });
  const written: Written[] = [];
  for (const { name, chunks } of files) {
    let fileBytes = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunks) {
        fileBytes += chunk.length;
        yield chunk;
      }
    };
    await host.save(join(folder, name), counted());
    written.push({ path: join(folder, name), fileBytes });
  }
  return written;
}
