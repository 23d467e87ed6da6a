import { Cursor, type Head } from './head.js';
import { type Config, configFrom, isPlausible, LLAMA2C_MAGIC, sevenFrom, V0_HEADER_BYTES } from './llama2c-head.js';
import { createModelFile, type PlacedTensor } from './model-file.js';
import { badFile, unsupported } from './refuse.js';
import type { ByteSource, MetadataValue, ModelFile } from './types.js';

const V1_HEADER_BYTES = 256;

/** One weight in file order: GGUF name, columns, rows (none for a vector). */
interface Entry {
  name: string;
  columns: number;
  rows?: number;
}

/**
 * llama2.c checkpoints: v0 ("legacy"), v1 (float32) and v2 (int8 groups). Layouts: karpathy/llama2.c, export.py and runq.c.
 * Weights come out as f32, split per layer, under the names of GGUF's `llama` (whose rotary order is theirs).
 */
export async function openLlama2c(head: Head, name: string, sibling?: ModelFile['sibling']): Promise<ModelFile> {
  const cursor = new Cursor(head);
  const magic = await head.parse(cursor, cursor.u32);
  const { config, tied, version, group } = await head.parse(cursor, () => (magic === LLAMA2C_MAGIC ? readHeader(cursor, name) : readV0Header(cursor)));
  if (!isPlausible(config)) throw badFile('the sizes of a llama2.c model', Object.entries(config).map(([key, size]) => `${key} ${size}`).join(', '));
  const source = head.after(cursor.position);
  const tensors = version === 2 ? placeQuantised(source, config, tied, group, name) : placeFloats(source, version === 0 ? orderV0(config, tied) : orderV1(config, tied), cursor.position);
  if (version === 0) refuseTail(source, config, tensors);
  return createModelFile({ format: 'llama2c', name, metadata: describe(config), tensors, sources: [source], sibling });
}

interface Header {
  config: Config;
  tied: boolean;
  version: number;
  group: number;
}

/** v0: a negative vocabulary size means an output layer of its own. The magic has been read: it was `dim`. */
function readV0Header(cursor: Cursor): Header {
  cursor.position = 0;
  const numbers = sevenFrom(cursor.view(V0_HEADER_BYTES));
  return { config: configFrom(numbers), tied: numbers[5]! > 0, version: 0, group: 0 };
}

/** v1 and v2: magic, version, seven int32, a byte "tied", v2 also the int32 group size; zeros up to byte 256. */
function readHeader(cursor: Cursor, name: string): Header {
  const version = cursor.i32();
  if (version !== 1 && version !== 2) throw unsupported('llama2.c version 0, 1 or 2', `version ${version} in ${name}`, 'Export the model again as one of these.');
  const view = cursor.view(V1_HEADER_BYTES - 8);
  const config = configFrom(sevenFrom(view));
  return { config, tied: view.getUint8(28) !== 0, version, group: version === 2 ? view.getInt32(29, true) : 0 };
}

const layered = (layers: number, entry: (layer: string) => Entry): Entry[] => Array.from({ length: layers }, (_, i) => entry(`blk.${i}`));

const norms = ({ dim, layers }: Config, kind: string): Entry[] => layered(layers, (at) => ({ name: `${at}.${kind}.weight`, columns: dim }));
const embedding = ({ dim, vocabulary }: Config, name = 'token_embd'): Entry => ({ name: `${name}.weight`, columns: dim, rows: vocabulary });
const finalNorm = ({ dim }: Config): Entry => ({ name: 'output_norm.weight', columns: dim });

function attention({ dim, layers, heads, kvHeads }: Config): Entry[] {
  const kv = (dim / heads) * kvHeads;
  const matrix = (kind: string, rows: number) => layered(layers, (at) => ({ name: `${at}.${kind}.weight`, columns: dim, rows }));
  return [...matrix('attn_q', dim), ...matrix('attn_k', kv), ...matrix('attn_v', kv), ...matrix('attn_output', dim)];
}

/** llama2.c's w1, w2, w3. */
function feedForward({ dim, hidden, layers }: Config): Entry[] {
  const matrix = (kind: string, columns: number, rows: number) => layered(layers, (at) => ({ name: `${at}.${kind}.weight`, columns, rows }));
  return [...matrix('ffn_gate', dim, hidden), ...matrix('ffn_down', hidden, dim), ...matrix('ffn_up', dim, hidden)];
}

/** v0's tables of cosines and sines, context x half a head each, stand between the final norm and the output layer. */
const ROTARY_TABLES = '';

const orderV0 = (config: Config, tied: boolean): Entry[] => [
  embedding(config),
  ...norms(config, 'attn_norm'),
  ...attention(config),
  ...norms(config, 'ffn_norm'),
  ...feedForward(config),
  finalNorm(config),
  { name: ROTARY_TABLES, columns: config.dim / config.heads, rows: config.context },
  ...(tied ? [] : [embedding(config, 'output')]),
];

const normsFirst = (config: Config): Entry[] => [...norms(config, 'attn_norm'), ...norms(config, 'ffn_norm'), finalNorm(config)];
const matrices = (config: Config, tied: boolean): Entry[] => [
  embedding(config),
  ...attention(config),
  ...feedForward(config),
  ...(tied ? [] : [embedding(config, 'output')]),
];
const orderV1 = (config: Config, tied: boolean): Entry[] => [...normsFirst(config), ...matrices(config, tied)];

function placeFloats(source: ByteSource, entries: readonly Entry[], start: number): PlacedTensor[] {
  let offset = start;
  return entries.flatMap(({ name, columns, rows = 1 }, i) => {
    const bytes = columns * rows * 4;
    offset += bytes;
    const shape = entries[i]!.rows === undefined ? [columns] : [columns, rows];
    return name === ROTARY_TABLES ? [] : [{ name, type: 'f32' as const, shape, bytes, source, offset: offset - bytes }];
  });
}

/** v2: norms as f32; then per matrix its int8 codes, followed by one f32 scale per group of the flattened matrix. */
function placeQuantised(source: ByteSource, config: Config, tied: boolean, group: number, name: string): PlacedTensor[] {
  const vectors = placeFloats(source, normsFirst(config), V1_HEADER_BYTES);
  let offset = vectors.reduce((end, { bytes }) => end + bytes, V1_HEADER_BYTES);
  const scaled = matrices(config, tied).map((entry): PlacedTensor => {
    const count = entry.columns * entry.rows!;
    if (group < 1 || count % group !== 0) throw badFile(`a group size that divides the ${count} weights of ${entry.name}`, `${group} in ${name}`);
    const storedBytes = count + (count / group) * 4;
    offset += storedBytes;
    return {
      name: entry.name,
      type: 'f32',
      shape: [entry.columns, entry.rows!],
      bytes: count * 4,
      source,
      offset: offset - storedBytes,
      storedBytes,
      convert: (stored, from, into) => dequantise(stored, count, group, from, into),
    };
  });
  return [...vectors, ...scaled];
}

/** code x scale, rounded to f32 as runq.c does, written to `into` from byte `from` of the f32 tensor on. */
function dequantise(stored: Uint8Array, count: number, group: number, from: number, into: Uint8Array): void {
  const codes = new Int8Array(stored.buffer, stored.byteOffset, count);
  const scales = new DataView(stored.buffer, stored.byteOffset + count);
  const first = Math.floor(from / 4);
  const values = new Float32Array(Math.ceil((from + into.length) / 4) - first);
  for (let i = 0; i < values.length; i++) values[i] = codes[first + i]! * scales.getFloat32(Math.floor((first + i) / group) * 4, true);
  into.set(new Uint8Array(values.buffer, from - first * 4, into.length));
}

/** Without a magic the size is the proof: a v0 file ends with its last weight. */
function refuseTail(source: ByteSource, { dim, heads, context }: Config, tensors: readonly PlacedTensor[]): void {
  const last = tensors.at(-1)!;
  const tables = last.name === 'output.weight' ? 0 : (dim / heads) * context * 4;
  const end = last.offset + last.bytes + tables;
  if (source.size > end) throw badFile(`a llama2.c v0 file of ${end} bytes`, `${source.size} bytes in ${source.name}`, 'This is another kind of file, or a damaged one.');
}

/** llama2.c's fixed choices under GGUF keys: RMSNorm epsilon 1e-5, theta 10000. */
function describe({ dim, hidden, layers, heads, kvHeads, vocabulary, context }: Config): Map<string, MetadataValue> {
  return new Map<string, MetadataValue>([
    ['general.architecture', 'llama'],
    ['llama.context_length', context],
    ['llama.embedding_length', dim],
    ['llama.block_count', layers],
    ['llama.feed_forward_length', hidden],
    ['llama.attention.head_count', heads],
    ['llama.attention.head_count_kv', kvHeads],
    ['llama.attention.key_length', dim / heads],
    ['llama.attention.value_length', dim / heads],
    ['llama.attention.layer_norm_rms_epsilon', 1e-5],
    ['llama.rope.freq_base', 10000],
    ['llama.rope.dimension_count', dim / heads],
    ['llama.vocab_size', vocabulary],
  ]);
}
