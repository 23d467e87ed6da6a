// Writing models in another format or type, bound to a host: what every entry of `stonechat/train` exports beside train().
import { collect } from '../files/chunks.js';
import { ggufBytes, writeGguf } from '../files/gguf-writer.js';
import { type ModelInput, openModel } from '../files/index.js';
import { inside } from '../files/place.js';
import { aborted } from '../files/refuse.js';
import { abortSignal, callback, checkRules, flag, oneOf } from '../generate/rules.js';
import type { Host, HostSettings, TrainKernelSource } from '../host/host.js';
import { instantiateTrainKernels } from '../kernels/instance.js';
import type { ModelFile } from '../files/types.js';
import { specAt, specFromModel } from '../text/index.js';
import { folderLosses, ggufLosses } from '../text/losses.js';
import { FOLDER_FILES, type FolderFile, huggingFaceFolder, prepareWriting, type Writing } from '../train/convert/convert.js';
import { type Fallback, isQuantised, QUANTISATIONS, type Quantisation, SAME } from '../train/convert/quantize.js';
import { checkPlaces } from './outputs.js';
import { byNewNames, type FormerWritingNames } from './former.js';
import { path, type Rules, source } from './rules.js';
import { trainHostOf } from './train.js';

export type { Fallback };

/** Options of `convert`. */
export interface ConvertOptions extends FormerWritingNames {
  /** Default 'gguf'. */
  readonly format?: 'gguf' | 'huggingface' | undefined;
  /** Type of the matrices. Default: the one they have. Hugging Face's have f32, f16 and bf16 only: there quantised ones become f16. */
  readonly type?: Quantisation | undefined;
  /** The same type for the output layer too, which otherwise keeps more bits. Default false. */
  readonly quantizeOutput?: boolean | undefined;
  /** Default: the model's own. */
  readonly tokenizer?: ModelInput | undefined;
  /** Write although the other form cannot say all that the tokenizer does; the result names what is lost. Default false. */
  readonly force?: boolean | undefined;
  /** A path to write to: a file for GGUF, an existing folder for Hugging Face; otherwise bytes come back. */
  readonly output?: string | undefined;
  /** Bytes written so far and in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Ends the work between two pieces; what was begun is removed. */
  readonly signal?: AbortSignal | undefined;
  /** As for `train`. */
  readonly kernels?: HostSettings['kernels'];
  readonly trainKernels?: TrainKernelSource;
}

/** A file that `convert` has made. */
export interface ConvertedFile {
  /** Its path where it was written. */
  readonly name: string;
  readonly fileBytes: number;
  /** Where no `output` was named. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
}

/** What `convert` made. */
export interface ConvertResult {
  readonly files: readonly ConvertedFile[];
  /** Of the matrices; undefined: each has its own. Without the option, a quantised model becomes f16 in a Hugging Face folder. */
  readonly type: Quantisation | undefined;
  /** Tensors whose rows do not divide into the blocks of the type meant for them, with the type that they got. */
  readonly fallbacks: readonly Fallback[];
  /** What the form written has no word for; only with `force`. */
  readonly lost: readonly string[];
  /** Of what was read. */
  readonly sourceBytes: number;
}

/** What writes models in other forms. */
export interface Writer {
  /**
   * A model of any format that is read, as GGUF or as the files of a Hugging Face folder, with its tokenizer.
   * @throws StonechatError `unsupported` for what the other form cannot say, `bad-option`, `not-found`, `bad-file`, `unavailable`.
   */
  convert(model: ModelInput, options?: ConvertOptions): Promise<ConvertResult>;
}

const RULES: Rules<Omit<ConvertOptions, keyof FormerWritingNames>> = {
  format: oneOf('gguf', 'huggingface'),
  type: { ...oneOf(...QUANTISATIONS), otherwise: 'the one they have' },
  quantizeOutput: flag(false),
  force: flag(false),
  tokenizer: source("the model's own"),
  output: path('bytes'),
  onProgress: callback,
  signal: abortSignal,
  kernels: callback,
  trainKernels: callback,
};

export function createWriter(host: Host): Writer {
  return {
    async convert(model, given = {}) {
      const options = byNewNames(given);
      checkRules('convert()', options, RULES);
      await checkPlaces(host, placesOf(options), [model, options.tokenizer]);
      const places = { open: host.open.bind(host), list: host.list.bind(host) };
      const file = await openModel(model, places);
      try {
        const { quantizeOutput: pure = false, force = false, onProgress } = options;
        const type = options.type ?? (options.format === 'huggingface' && isQuantised(file) ? 'f16' : SAME);
        const writing = await prepareWriting(file, () => tokenizerOf(options.tokenizer), await kernelsOf(host, options), { type, pure, ...(onProgress && { onProgress }) }, force);
        const files = options.format === 'huggingface' ? huggingFaceFolder(writing.content, await writing.tokenizer(), force) : [ggufFile(writing)];
        return { files: await write(host, files, options), type: type === SAME ? undefined : type, fallbacks: writing.content.fallbacks, lost: force ? await lostOf(file, writing, options) : [], sourceBytes: file.fileBytes };
      } finally {
        await file.close();
      }
      async function tokenizerOf(named: ModelInput | undefined) {
        if (named === undefined) return specFromModel(file);
        return specAt(named, places);
      }
    },
  };
}

/** What the tokenizer loses: a GGUF file keeps its own words. */
async function lostOf({ format }: ModelFile, { tokenizer }: Writing, options: ConvertOptions): Promise<string[]> {
  if (options.format === 'huggingface') return folderLosses(await tokenizer());
  return format === 'gguf' ? [] : ggufLosses(await tokenizer());
}

async function kernelsOf(host: Host, options: ConvertOptions) {
  const { host: own, compileTraining } = trainHostOf(host, options);
  const build = own.builds[0]!;
  return instantiateTrainKernels(await own.compile(build, false), await compileTraining(build, false), build);
}

const ggufFile = ({ content }: Writing): FolderFile => ({ name: 'model.gguf', chunks: writeGguf(content), fileBytes: ggufBytes(content) });

/** Files that will be written. */
function placesOf({ output, format }: ConvertOptions): (string | undefined)[] {
  return format === 'huggingface' && output !== undefined ? FOLDER_FILES.map((name) => inside(output, name)) : [output];
}

/** One by one, each whole or not at all. */
async function write(host: Host, files: readonly FolderFile[], { output, format, signal }: ConvertOptions): Promise<ConvertedFile[]> {
  const written: ConvertedFile[] = [];
  for (const { name, chunks, fileBytes } of files) {
    const path = output === undefined ? name : format === 'huggingface' ? inside(output, name) : output;
    const pieces = untilAborted(chunks, signal);
    const bytes = output === undefined ? await collect(pieces) : undefined;
    if (output !== undefined) await host.save(path, pieces);
    written.push({ name: path, fileBytes, bytes });
  }
  return written;
}

/** @throws StonechatError `aborted` */
export async function* untilAborted(chunks: FolderFile['chunks'], signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    if (signal?.aborted) throw aborted(signal, 'writing the model');
    yield chunk;
  }
}
