import type { OpenOptions } from '../host/host.js';
import { type GgufPart, ggufModel, readGgufPart } from './gguf.js';
import { Head } from './head.js';
import { baseName, beside, ifThere, inside, MOST_SIBLING_BYTES, type Neighbours, readAll, shown } from './place.js';
import { badFile, badOption, notFound, quote, unavailable } from './refuse.js';
import { holdsModel, sniff } from './sniff.js';
import { blobSource, bufferSource, iterableSource, responseSource, streamSource } from './sources.js';
import { joinSplit, shardNames, splitCount } from './split.js';
import type { ByteSource, ModelFile } from './types.js';
import { openUrl } from './url-source.js';

/** Where a model comes from. An array holds the parts of a split model or the files of a Hugging Face folder. */
export type ModelInput = string | URL | Blob | ArrayBuffer | Uint8Array | ReadableStream<Uint8Array> | Response | AsyncIterable<Uint8Array> | ByteSource | readonly ModelInputFile[];
export type ModelInputFile = string | URL | File | ByteSource;

export interface OpenModelOptions extends OpenOptions {
  /** Opens a path or URL. Default: URLs by fetch, paths not at all. */
  open?: (location: string, options?: OpenOptions) => Promise<ByteSource>;
  /** Names in a folder, undefined for anything else. */
  list?: (location: string) => Promise<string[] | undefined>;
}

/**
 * Opens a model of any known format, told by its contents: GGUF (also split), safetensors with config.json, llama2.c.
 * A string or URL may name a folder. The sources belong to the model from then on: its `close` closes them.
 * @throws StonechatError `not-found`, `network`, `unavailable`; `bad-file`, `unsupported`, `truncated` naming what was found.
 */
export async function openModel(input: ModelInput, options: OpenModelOptions = {}): Promise<ModelFile> {
  if (Array.isArray(input)) return openFiles(input as readonly ModelInputFile[], options);
  if (typeof input === 'string' || input instanceof URL) return openAt(String(input), options);
  const model = await openFile(toSource(input as Exclude<ModelInput, string | URL | readonly ModelInputFile[]>, options), NOWHERE);
  return isBytes(input) ? { ...model, name: String(model.metadata.get('general.name') ?? model.name) } : model; // bytes have no name of their own
}

/** A small file read whole, with a way to the files beside it. */
export interface SmallFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly sibling: ModelFile['sibling'];
}

/** Where a model folder keeps its tokenizer, best first. */
export const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer.model', 'tokenizer.bin', 'vocab.json'] as const;

/**
 * What holds a tokenizer: a model, of which the header is read, or a file of its own, read whole. Takes what `openModel` takes.
 * @throws StonechatError `not-found`, `network`, `bad-option`, and those of `openModel`.
 */
export async function openTokenizer(input: ModelInput, options: OpenModelOptions = {}): Promise<ModelFile | SmallFile> {
  const still = quiet(options);
  if (Array.isArray(input)) return openTokenizerAmong(input as readonly ModelInputFile[], still);
  if (typeof input !== 'string' && !(input instanceof URL)) return openTokenizerFile(toSource(input, still), NOWHERE);
  const location = String(input);
  if (location === '') throw badOption('a path or URL', 'an empty string');
  const names = await still.list?.(location);
  if (names || /\/([?#].*)?$/s.test(location)) return openTokenizerIn(folderAt(location, names, still));
  const near = (name: string) => ifThere(() => openLocation(beside(location, name), still));
  return openTokenizerFile(await openLocation(location, still), /^(data|blob):/i.test(location) ? NOWHERE : { name: shown(location), open: near });
}

/** A folder with weights that carry a tokenizer is the model; otherwise the tokenizer's own file counts. */
async function openTokenizerIn(near: Neighbours): Promise<ModelFile | SmallFile> {
  const carried = near.names?.some((name) => name.endsWith('.gguf')) && !near.names.includes('config.json');
  for (const name of carried ? [] : TOKENIZER_FILES) {
    const source = near.names && !near.names.includes(name) ? undefined : await near.open(name);
    if (source) return { name, bytes: await readAll(source), sibling: siblingIn(near) };
  }
  return openFolder(near);
}

async function openTokenizerAmong(inputs: readonly ModelInputFile[], options: OpenModelOptions): Promise<ModelFile | SmallFile> {
  if (inputs.length === 0) throw badOption('at least one file', 'an empty array');
  const files = inputs.map((input) => toFile(input, options));
  const names = files.map(({ name }) => name);
  const near: Neighbours = { name: 'the files given', names, open: async (name) => files.find((file) => file.name === name)?.open() };
  if (files.length === 1) return openTokenizerFile(await files[0]!.open(), near);
  return names.some((name) => name.endsWith('.gguf')) ? openFiles(inputs, options) : openTokenizerIn(near);
}

async function openTokenizerFile(source: ByteSource, near: Neighbours): Promise<ModelFile | SmallFile> {
  const head = new Head(source);
  const name = baseName(source.name);
  return closingOnFailure([source], async () => {
    await head.grow(1);
    if (holdsModel(head.bytes) || /(^|\.)config\.json$|\.index\.json$/.test(name)) return openFile(source, near, head);
    if (source.size > MOST_SIBLING_BYTES) throw badFile(`a file of at most ${MOST_SIBLING_BYTES} bytes`, `${source.size} in ${source.name}`, 'Check the name.');
    for (let have = -1; have < head.bytes.length && head.bytes.length < MOST_SIBLING_BYTES; ) await head.grow((have = head.bytes.length) + 1);
    await source.close();
    return { name, bytes: head.bytes, sibling: siblingIn(near) };
  });
}

const NOWHERE: Neighbours = { name: 'memory', open: async () => undefined };

const isBytes = (input: unknown): input is Uint8Array | ArrayBuffer => input instanceof Uint8Array || input instanceof ArrayBuffer;

function toSource(input: unknown, options: OpenOptions): ByteSource {
  if (isBytes(input)) return bufferSource(input);
  if (input instanceof Blob) return blobSource(input);
  if (input instanceof ReadableStream) return streamSource(input as ReadableStream<Uint8Array>, options);
  if (input instanceof Response) return responseSource(input, options);
  if (isByteSource(input)) return input;
  if (isIterable(input)) return iterableSource(input, options);
  throw badOption('a path, URL, Blob, File, ArrayBuffer, Uint8Array, ReadableStream, Response, Readable, ByteSource or an array of files', input === null ? 'null' : typeof input);
}

const isByteSource = (input: unknown): input is ByteSource =>
  typeof input === 'object' && input !== null && 'read' in input && typeof input.read === 'function' && 'size' in input && typeof input.size === 'number' && 'close' in input && typeof input.close === 'function';

const isIterable = (input: unknown): input is AsyncIterable<Uint8Array> => typeof input === 'object' && input !== null && Symbol.asyncIterator in input;

/** @throws StonechatError */
async function openLocation(location: string, { open, ...options }: OpenModelOptions): Promise<ByteSource> {
  if (open) return open(location, options);
  if (/^(https?|blob|data):/i.test(location)) return openUrl(location, options);
  throw unavailable('a URL, or a host that opens paths', quote(shown(location)), 'Pass an http(s) URL, a Blob or a buffer.');
}

async function openAt(location: string, options: OpenModelOptions): Promise<ModelFile> {
  if (location === '') throw badOption('a path or URL', 'an empty string');
  const names = await options.list?.(location);
  if (!names && !/\/([?#].*)?$/s.test(location)) {
    const near = (name: string) => ifThere(() => openLocation(beside(location, name), weigh(name, options)));
    const alone = /^(data|blob):/i.test(location);
    return openFile(await openLocation(location, options), alone ? NOWHERE : { name: shown(location), open: near });
  }
  return openFolder(folderAt(location, names, options));
}

const folderAt = (location: string, names: readonly string[] | undefined, options: OpenModelOptions): Neighbours => ({
  name: shown(location),
  names,
  open: async (name) => (names && !names.includes(name) ? undefined : ifThere(() => openLocation(inside(location, name), weigh(name, options)))),
});

/** Only weights report progress. */
const quiet = (options: OpenModelOptions): OpenModelOptions => ({ ...options, onProgress: undefined });
const weigh = (name: string, options: OpenModelOptions): OpenModelOptions => (/\.(safetensors|gguf|bin)$/.test(name) ? options : quiet(options));

const siblingIn = (near: Neighbours): ModelFile['sibling'] => async (name) => {
  const source = await near.open(name);
  return source && readAll(source);
};

/** Sees that nothing stays open when `use` fails. */
async function closingOnFailure<T>(sources: readonly ByteSource[], use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    await Promise.all(sources.map((source) => source.close()));
    throw error;
  }
}

function openFile(source: ByteSource, near: Neighbours, head = new Head(source)): Promise<ModelFile> {
  const name = baseName(source.name);
  return closingOnFailure([source], async () => {
    if (/(^|\.)config\.json$|\.index\.json$/.test(name)) {
      await source.close();
      return openFolder(near);
    }
    await head.grow(1);
    const kind = sniff(head.bytes, source.name);
    if (kind === 'llama2c') return (await import('./llama2c.js')).openLlama2c(head, name, siblingIn(near));
    if (kind === 'safetensors') return openSafetensors(near, head);
    const part = await readGgufPart(head);
    return splitCount(part) > 1 ? openSplit(part, name, near) : ggufModel([part], name, siblingIn(near));
  });
}

/** A chunk of its own: pages that read GGUF leave it out. */
async function openSafetensors(near: Neighbours, head?: Head): Promise<ModelFile> {
  const { openHuggingFace } = await import('./safetensors.js');
  return openHuggingFace(near, siblingIn(near), head);
}

/** Finds the other parts by the names that llama.cpp's splitter gives. */
async function openSplit(part: GgufPart, name: string, near: Neighbours): Promise<ModelFile> {
  const count = splitCount(part);
  const names = shardNames(name);
  if (names?.length !== count || !names.includes(name)) {
    throw notFound(`the other ${count - 1} parts of ${name}`, 'no way to tell their names', 'Keep names such as model-00001-of-00003.gguf, or pass all parts as an array.');
  }
  await part.source.pause?.();
  const opened: ByteSource[] = [];
  return closingOnFailure(opened, async () => {
    const parts: GgufPart[] = [];
    for (const other of names) {
      const source = other === name ? part.source : await near.open(other);
      if (!source) throw notFound(`all ${count} parts of ${name}`, `no ${other}`, 'Put all parts in one folder, or pass them as an array.');
      if (other !== name) opened.push(source);
      parts.push(other === name ? part : await readPart(source));
    }
    return joinSplit(parts, name, siblingIn(near));
  });
}

async function readPart(source: ByteSource): Promise<GgufPart> {
  const head = new Head(source);
  await head.grow(1);
  if (sniff(head.bytes, source.name) !== 'gguf') throw badFile('parts of one split GGUF model', `another format in ${source.name}`, 'Pass the parts of one model only.');
  const part = await readGgufPart(head);
  await source.pause?.(); // one open connection is enough; browsers allow six per server
  return part;
}

async function openFolder(near: Neighbours): Promise<ModelFile> {
  const { names } = near;
  if (!names || (names.includes('config.json') && names.some(isSafetensors))) return openSafetensors(near);
  const models = names.filter((name) => /\.(gguf|bin)$/i.test(name) && !/tok(enizer|\d+)\.bin$/.test(name));
  const firsts = models.filter((name) => (shardNames(name)?.[0] ?? name) === name);
  if (firsts.length !== 1) {
    const found = firsts.length === 0 ? 'none' : `${firsts.length}: ${firsts.slice(0, 5).join(', ')}`;
    throw (firsts.length === 0 ? notFound : badOption)(`a folder with one model (config.json with safetensors, or one GGUF file), ${near.name}`, found, 'Name the file.');
  }
  return openFile((await near.open(firsts[0]!))!, near);
}

const isSafetensors = (name: string): boolean => name.endsWith('.safetensors');
/** Files that go with a model but hold no weights. */
const isCompanion = (name: string): boolean => /\.(json|jsonl|txt|model|jinja|md|tiktoken|vocab)$/i.test(name);

/** An array: files with names, in any order. */
async function openFiles(inputs: readonly ModelInputFile[], options: OpenModelOptions): Promise<ModelFile> {
  if (inputs.length === 0) throw badOption('at least one file', 'an empty array');
  const files = inputs.map((input) => toFile(input, options));
  const given = inputs.filter(isByteSource);
  const names = files.map(({ name }) => name);
  const near: Neighbours = { name: 'the files given', names, open: async (name) => files.find((file) => file.name === name)?.open() };
  const model = await closingOnFailure(given, () => {
    if (files.length > 1 && names.some((name) => isSafetensors(name) || name === 'config.json')) return openFolder(near);
    return openParts(files.length > 1 ? files.filter(({ name }) => !isCompanion(name)) : files, near);
  });
  return { ...model, close: async () => void (await Promise.all([model, ...given].map((closable) => closable.close()))) };
}

interface NamedFile {
  readonly name: string;
  open(): Promise<ByteSource>;
}

function toFile(input: ModelInputFile, options: OpenModelOptions): NamedFile {
  if (typeof input === 'string' || input instanceof URL) {
    const name = baseName(String(input));
    return { name, open: () => openLocation(String(input), weigh(name, options)) };
  }
  const source = toSource(input, options);
  // A source that was passed in is closed with the model only: companions may be read again.
  return { name: baseName(source.name), open: async () => (isByteSource(input) ? borrowed(source) : source) };
}

const borrowed = (source: ByteSource): ByteSource => ({
  name: source.name,
  get size() {
    return source.size;
  },
  read: (offset, into) => source.read(offset, into),
  ...(source.readUpTo && { readUpTo: (offset: number, into: Uint8Array) => source.readUpTo!(offset, into) }),
  close: async () => undefined,
});

async function openParts(files: readonly NamedFile[], near: Neighbours): Promise<ModelFile> {
  if (files.length === 0) throw notFound('a model file among those given', near.names!.join(', '), 'Pass the weights too.');
  if (files.length === 1) return openFile(await files[0]!.open(), near);
  const sources: ByteSource[] = [];
  return closingOnFailure(sources, async () => {
    const parts: GgufPart[] = [];
    for (const file of files) {
      sources.push(await file.open());
      parts.push(await readPart(sources.at(-1)!));
    }
    return joinSplit(parts, files[0]!.name, siblingIn(near));
  });
}
