import { LAYOUTS } from './dtypes.js';
import { Cursor, Head } from './head.js';
import { type Config, translateConfig, type Translated, translateName } from './huggingface.js';
import { createModelFile, type PlacedTensor } from './model-file.js';
import { baseName, type Neighbours, readAll } from './place.js';
import { badFile, badOption, notFound, quote, show, unsupported } from './refuse.js';
import { MOST_SAFETENSORS_HEADER, sniff } from './sniff.js';
import { shardNames } from './split.js';
import type { ByteSource, DType, ModelFile } from './types.js';

/** A tensor as its header names it: the framework's name, row-major shape (last axis contiguous). */
export interface StoredTensor {
  readonly name: string;
  readonly type: DType;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly source: ByteSource;
  readonly offset: number;
}

const TYPES: Readonly<Record<string, DType>> = { F32: 'f32', F16: 'f16', BF16: 'bf16' };
const MOST_DIMENSIONS = 8;

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** More brackets and commas than the header of any model has: what JSON makes of each takes many times its bytes. */
const MOST_BRACKETS = 1 << 20, MOST_COMMAS = 1 << 22;

/** @throws StonechatError `bad-file` */
function parseJson(bytes: Uint8Array, name: string): Json {
  let value: unknown;
  refuseSwollen(bytes, name);
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw badFile(`JSON in ${name}`, quote(cause instanceof Error ? cause.message : String(cause), 100), undefined, cause);
  }
  if (!isObject(value)) throw badFile(`a JSON object in ${name}`, Array.isArray(value) ? 'an array' : String(value));
  return value;
}

function refuseSwollen(bytes: Uint8Array, name: string): void {
  let brackets = 0, commas = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 0x5b || byte === 0x7b) brackets++;
    else if (byte === 0x2c) commas++;
  }
  if (brackets > MOST_BRACKETS || commas > MOST_COMMAS) throw badFile(`at most ${MOST_BRACKETS} lists and objects, and ${MOST_COMMAS} commas, in ${name}`, `${brackets} and ${commas}`);
}

/**
 * The header of one safetensors file: its length (u64), then JSON `{ name: { dtype, shape, data_offsets } }` with offsets
 * relative to the end of the header. Names of other dtypes are kept for the error, should the tensor be needed.
 */
async function readSafetensors(head: Head): Promise<{ source: ByteSource; tensors: StoredTensor[]; refused: Map<string, string> }> {
  const cursor = new Cursor(head);
  const { name } = head.source;
  const bytes = await head.parse(cursor, () => cursor.bytes(readLength(cursor, name)));
  const header = parseJson(bytes, `the header of ${name}`);
  const source = head.after(cursor.position);
  const refused = new Map<string, string>();
  const tensors = Object.entries(header).flatMap(([key, info]) => {
    if (key === '__metadata__') return [];
    if (!isObject(info)) throw badFile(`an object for tensor ${quote(key)} in ${name}`, show(info));
    const type = typeof info.dtype === 'string' && Object.hasOwn(TYPES, info.dtype) ? TYPES[info.dtype] : undefined;
    if (!type) refused.set(key, show(info.dtype));
    return type ? [placeTensor(key, type, info, source, cursor.position)] : [];
  });
  return { source, tensors, refused };
}

function readLength(cursor: Cursor, name: string): number {
  const length = cursor.count(1, 'header bytes');
  if (length > MOST_SAFETENSORS_HEADER) throw badFile(`a header of at most ${MOST_SAFETENSORS_HEADER} bytes`, `${length} in ${name}`);
  return length;
}

function placeTensor(name: string, type: DType, { shape, data_offsets: span }: Json, source: ByteSource, data: number): StoredTensor {
  const refuse = (what: string, found: unknown) => badFile(`${what} of tensor ${quote(name)} in ${source.name}`, show(found));
  if (!isSizes(shape) || shape.length > MOST_DIMENSIONS || shape.includes(0)) throw refuse('the shape', shape);
  const bytes = shape.reduce((product, size) => product * size, LAYOUTS[type].bytes);
  if (!isSizes(span) || span.length !== 2 || span[1]! - span[0]! !== bytes) throw refuse(`data_offsets that span the ${bytes} bytes`, span);
  return { name, type, shape, bytes, source, offset: data + span[0]! };
}

const isSizes = (value: unknown): value is number[] => Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);

/**
 * A Hugging Face model: config.json beside one safetensors file or several with an index. Given the head of one file that
 * was named itself, that file (or, if it is a shard, its whole set) holds the weights.
 */
export async function openHuggingFace(near: Neighbours, sibling: ModelFile['sibling'], named?: Head): Promise<ModelFile> {
  const name = named?.source.name ?? near.name;
  const config = await readConfig(near, name);
  const translated = translateConfig(config);
  const whole = named && !shardNames(baseName(name));
  const opened: ByteSource[] = [];
  try {
    const heads = whole ? [named] : await openWeights(near, named, opened);
    const shards: Awaited<ReturnType<typeof readSafetensors>>[] = [];
    for (const head of heads) {
      shards.push(await readSafetensors(head));
      if (heads.length > 1) await head.source.pause?.();
    }
    const found = shards.flatMap((shard) => translateTensors(shard, translated.architecture));
    const warnings: string[] = [];
    const tensors = await tieOutput(withoutBiases(found, translated, warnings), translated.tied, warnings);
    const sources = shards.map(({ source }) => source);
    const title = baseName(name) || 'model';
    return createModelFile({ format: 'safetensors', name: title, metadata: new Map([...translated.metadata, ['general.name', title]]), tensors, sources, sibling, warnings });
  } catch (error) {
    await Promise.all(opened.map((source) => source.close()));
    throw error;
  }
}

/** As transformers: biases that config.json does not speak of are left out, those that it speaks of and that are not there are zero. */
function withoutBiases(tensors: readonly PlacedTensor[], { biases }: Translated, warnings: string[]): PlacedTensor[] {
  const partOf = (name: string) => /^(?:blk\.\d+\.)?(.+)\.bias$/.exec(name)?.[1];
  const isKnown = ({ name }: PlacedTensor) => partOf(name) === undefined || biases.includes(partOf(name)!);
  const known = tensors.filter(isKnown);
  const there = new Set(known.map(({ name }) => partOf(name)));
  const missing = biases.filter((part) => !there.has(part));
  const left = tensors.find((tensor) => !isKnown(tensor));
  if (left) warnings.push(`${tensors.length - known.length} biases (${left.name}) that the model has not by its config.json are left out`);
  if (missing.length > 0 && tensors.length > 0) warnings.push(`biases of ${missing.join(', ')} that config.json speaks of are not in the files, and taken for zero`);
  return known;
}

const PIECE_BYTES = 1 << 20;

/** An output layer that is the embedding is kept once; where the files hold two that differ, both, as in transformers. */
async function tieOutput(tensors: readonly PlacedTensor[], tied: boolean, warnings: string[]): Promise<PlacedTensor[]> {
  const [embedding, output] = ['token_embd.weight', 'output.weight'].map((name) => tensors.find((tensor) => tensor.name === name));
  const others = tensors.filter((tensor) => tensor !== output);
  if (!output && !tied && embedding) warnings.push('there is no output layer (lm_head.weight): the embedding is taken for it, although config.json says that they differ (tie_word_embeddings)');
  if (!output || !tied) return [...tensors];
  if (!embedding) return [...others, { ...output, name: 'token_embd.weight' }];
  const same = await alike(embedding, output);
  if (same) return others;
  if (same === false) warnings.push('lm_head.weight differs from the embedding, although config.json says that they are one (tie_word_embeddings): each is used as it is');
  return [...tensors];
}

/** Whether the bytes are the same; undefined where looking would mean to download them. */
async function alike(a: PlacedTensor, b: PlacedTensor): Promise<boolean | undefined> {
  if (a.type !== b.type || a.bytes !== b.bytes || String(a.shape) !== String(b.shape)) return false;
  if ([a.source, b.source].some(({ size, remote }) => size < 0 || remote)) return undefined;
  for (let at = 0; at < a.bytes; at += PIECE_BYTES) {
    const [one, other] = [a, b].map(() => new Uint8Array(Math.min(PIECE_BYTES, a.bytes - at)));
    await a.source.read(a.offset + at, one!);
    await b.source.read(b.offset + at, other!);
    if (!one!.every((byte, i) => byte === other![i])) return false;
  }
  return true;
}

async function readConfig(near: Neighbours, name: string): Promise<Config> {
  const source = await near.open('config.json');
  if (!source) throw notFound(`config.json beside ${name}`, 'none', 'Safetensors files say nothing of the architecture: keep the config.json of the model beside them, or pass both as an array.');
  return parseJson(await readAll(source), source.name);
}

/** Names of the files that hold the weights: a whole file goes before an index, as in transformers. */
async function weightFiles(near: Neighbours, shard: boolean): Promise<string[]> {
  const names = near.names ?? [];
  if (!shard && names.includes(WHOLE)) return [WHOLE];
  const index = await near.open('model.safetensors.index.json');
  if (index) return indexedFiles(parseJson(await readAll(index), index.name), index.name);
  const found = names.filter((name) => name.endsWith('.safetensors'));
  const shards = found.filter((name) => shardNames(name));
  const files = shards.length > 0 ? shards : found;
  if (files.length === 0) throw notFound(`safetensors files in ${near.name}`, 'none', 'Name the folder or pass the files that hold the weights.');
  if (files.length > 1 && shards.length === 0) throw badOption(`model.safetensors or one set of shards in ${near.name}`, files.slice(0, 5).join(', '), 'Name the file.');
  return files;
}

const WHOLE = 'model.safetensors';

/** Opens the weights. Where nothing can be listed, a whole file is looked for first. */
async function openWeights(near: Neighbours, named: Head | undefined, opened: ByteSource[]): Promise<Head[]> {
  const whole = named || near.names ? undefined : await near.open(WHOLE);
  if (whole) opened.push(whole);
  return whole ? [await headOf(whole)] : openShards(near, await weightFiles(near, named !== undefined), named, opened);
}

async function headOf(source: ByteSource): Promise<Head> {
  const head = new Head(source);
  await head.grow(1);
  if (sniff(head.bytes, source.name) !== 'safetensors') throw badFile('safetensors', `another format in ${source.name}`);
  return head;
}

/** `weight_map` of an index: tensor name -> file name. */
function indexedFiles({ weight_map: map }: Json, name: string): string[] {
  const files = isObject(map) ? [...new Set(Object.values(map))] : [];
  if (files.length === 0 || !files.every((file) => typeof file === 'string' && /^[^/\\]+\.safetensors$/.test(file))) {
    throw badFile(`a weight_map to safetensors files in ${name}`, show(map));
  }
  return (files as string[]).sort();
}

async function openShards(near: Neighbours, files: readonly string[], named: Head | undefined, opened: ByteSource[]): Promise<Head[]> {
  const heads: Head[] = [];
  for (const file of files) {
    if (named && baseName(named.source.name) === file) {
      heads.push(named);
      continue;
    }
    const source = await near.open(file);
    if (!source) throw notFound(`all weight files of ${near.name}`, `no ${file}`, 'Download the missing file.');
    opened.push(source);
    heads.push(await headOf(source));
  }
  return heads;
}

function translateTensors({ tensors, refused }: Awaited<ReturnType<typeof readSafetensors>>, architecture: string): PlacedTensor[] {
  for (const [name, dtype] of refused) {
    if (translateName(name, architecture) !== undefined) throw unsupported(`tensors of ${Object.keys(TYPES).join(', ')}`, `${dtype} in ${quote(name)}`, 'Use the original, unquantised weights, or a GGUF file of this model.');
  }
  return tensors.flatMap((tensor) => {
    const target = translateName(tensor.name, architecture);
    return target === undefined ? [] : [toGguf(tensor, target)];
  });
}

function toGguf({ name: stored, type, shape, bytes, source, offset }: StoredTensor, { name, transposed }: { name: string; transposed: boolean }): PlacedTensor {
  const axes = shape.filter((size, i) => size !== 1 || i === shape.length - 1);
  if (axes.length > 2 || (transposed && shape.length !== 2)) throw badFile(`one or two axes in tensor ${quote(stored)}`, `[${shape.join(', ')}]`);
  const place = { name, type, bytes, source, offset };
  if (!transposed) return { ...place, shape: shape.length === 0 ? [1] : [...shape].reverse() };
  const [rows, columns] = shape as [number, number];
  return { ...place, shape: [rows, columns], convert: (bytes, from, into) => transpose(bytes, rows, columns, LAYOUTS[type].bytes, from, into) };
}

/**
 * GPT-2's Conv1D keeps [inputs][outputs]; the transposed order [outputs][inputs] is written to `into`, from its byte `from`. `width`: bytes of an element.
 */
export function transpose(stored: Uint8Array, rows: number, columns: number, width: number, from: number, into: Uint8Array): void {
  const first = Math.floor(from / width);
  const count = Math.ceil((from + into.length) / width) - first;
  const elements = width === 4 ? new Uint32Array(stored.buffer, 0, rows * columns) : new Uint16Array(stored.buffer, 0, rows * columns);
  const turned = width === 4 ? new Uint32Array(count) : new Uint16Array(count);
  for (let i = 0, column = Math.floor(first / rows), row = first % rows; i < count; i++) {
    turned[i] = elements[row * columns + column]!;
    if (++row === rows) {
      row = 0;
      column++;
    }
  }
  into.set(new Uint8Array(turned.buffer, from - first * width, into.length));
}
