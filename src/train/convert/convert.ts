import type { GgufContent } from '../../files/gguf-writer.js';
import { toHuggingFace } from '../../files/huggingface-writer.js';
import { unsupported } from '../../files/refuse.js';
import { isRotary, reordered, rowInHalves } from '../../files/row-order.js';
import { safetensorsBytes, writeSafetensors } from '../../files/safetensors-writer.js';
import type { MetadataValue, ModelFile, TensorInfo } from '../../files/types.js';
import { Arena } from '../../kernels/arena.js';
import type { Kernels, TrainKernels } from '../../kernels/instance.js';
import { Hyperparameters, readRope, readShape } from '../../models/hyperparameters.js';
import { ROPE_KIND } from '../../kernels/layout.js';
import { angleFactor } from '../../plan/forward.js';
import { ggufMetadata } from '../../text/gguf-writer.js';
import { huggingFaceTokenizer } from '../../text/huggingface-writer.js';
import type { TokenizerSpec } from '../../text/spec.js';
import { folderFacts, keptFacts, PADDING } from './model-facts.js';
import { type Quantised, quantizeModel, type QuantizeOptions } from './quantize.js';

/** A model ready to be written: GGUF's terms, matrices of the type asked for, and its tokenizer where the other form needs it. */
export interface Writing {
  readonly content: Quantised;
  readonly tokenizer: () => Promise<TokenizerSpec>;
}

/** Weights are read when they are asked for; `file` stays open meanwhile. */
export async function prepareWriting(file: ModelFile, tokenizer: Writing['tokenizer'], kernels: TrainKernels, options: QuantizeOptions, force = false): Promise<Writing> {
  const model = file.format === 'gguf' ? file : await withFacts(asGguf(file, await tokenizer(), kernels, force), file, await tokenizer());
  return { content: quantizeModel(model, kernels, options), tokenizer };
}

/** Name, licence and the like, as the folder of the model tells them. */
async function withFacts(model: ModelFile, folder: ModelFile, tokenizer: TokenizerSpec): Promise<ModelFile> {
  if (folder.format !== 'safetensors') return model;
  return { ...model, metadata: new Map([...model.metadata, ...(await folderFacts(folder, tokenizer))]) };
}

/**
 * Any model in GGUF's terms, its tokenizer among the metadata: what a GGUF file of it would hold.
 * @throws StonechatError `unsupported` for what llama.cpp has no form of.
 */
export function asGguf(file: ModelFile, tokenizer: TokenizerSpec, kernels: Kernels, force = false): ModelFile {
  if (file.format === 'gguf') return file;
  const metadata = new Map<string, MetadataValue>([...file.metadata, ...ggufMetadata(tokenizer, file.tensors.get('token_embd.weight')?.shape[1], force)]);
  const halves = file.metadata.get('stonechat.rope.style') === 'neox';
  metadata.delete('stonechat.rope.style');
  const tensors = new Map(file.tensors);
  const made = new Map<string, Uint8Array>();
  if (scalingOf(file) === 'llama3') addFactors(file, kernels, metadata, tensors, made);
  if (scalingOf(file) === 'yarn') tellAttentionFactor(file, kernels, metadata);
  const reads = new Map(halves ? rotaryReads(file) : []);
  return {
    ...file, format: 'gguf', metadata, tensors,
    read: async (tensor, offset, into) => {
      const bytes = made.get(tensor.name);
      if (bytes) into.set(bytes.subarray(offset, offset + into.length));
      else await (reads.get(tensor.name) ?? ((at, to) => file.read(tensor, at, to)))(offset, into);
    },
  };
}

/** Queries and keys of Hugging Face's llama, in GGUF's order. */
function rotaryReads(file: ModelFile): [string, ReturnType<typeof reordered>][] {
  const h = new Hyperparameters(file);
  const shape = readShape(h);
  if (readRope(h, shape).dims !== shape.headDim) throw unsupported('rotation of whole heads', `of ${readRope(h, shape).dims} of ${shape.headDim} dimensions`, 'llama.cpp has no form of this variant.');
  return [...file.tensors.values()].filter(({ name }) => isRotary(name)).map((tensor) => {
    const rows = tensor.shape.length > 1 ? tensor.shape[1]! : tensor.shape[0]!;
    return [tensor.name, reordered((offset, into) => file.read(tensor, offset, into), tensor.bytes, rows, (row) => rowInHalves(row, shape.headDim))];
  });
}

const scalingOf = ({ metadata }: ModelFile) => metadata.get(`${String(metadata.get('general.architecture'))}.rope.scaling.type`);

/** Hugging Face's attention factor, and what it may be made of, as llama.cpp has it: relative to YaRN's own. */
function tellAttentionFactor(file: ModelFile, { exports }: Kernels, metadata: Map<string, MetadataValue>): void {
  const h = new Hyperparameters(file);
  const rope = readRope(h, readShape(h));
  if (rope.kind === 'yarn_exact') throw unsupported('YaRN with rounded bounds', 'truncate false', 'llama.cpp has no form of this variant.');
  const key = `${h.architecture}.rope.scaling.`;
  const relative = angleFactor(rope, exports) / exports.rope_attention_factor(ROPE_KIND[rope.kind], rope.factor);
  for (const own of ['attention_factor', 'yarn_mscale', 'yarn_mscale_all_dim', 'attn_factor']) metadata.delete(key + own);
  if (relative !== 1) metadata.set(`${key}attn_factor`, relative);
}

/** Llama 3's scaling of the frequencies: GGUF has it as a table of divisors, rope_freqs.weight, not as metadata. */
function addFactors(file: ModelFile, { exports, memory }: Kernels, metadata: Map<string, MetadataValue>, tensors: Map<string, TensorInfo>, made: Map<string, Uint8Array>): void {
  const h = new Hyperparameters(file);
  const { dims, base, factor, low, high, originalContext } = readRope(h, readShape(h));
  const arena = new Arena(memory);
  const frequencies = (kind: number) => {
    const address = arena.allocate(dims * 4, 'frequencies');
    exports.rope_frequencies(address, dims, base, kind, factor, low, high, originalContext);
    return new Float64Array(memory.buffer, address, dims / 2).slice();
  };
  const [plain, scaled] = [frequencies(ROPE_KIND.none), frequencies(ROPE_KIND.llama3)];
  const name = 'rope_freqs.weight';
  made.set(name, new Uint8Array(Float32Array.from(plain, (value, i) => value / scaled[i]!).buffer));
  tensors.set(name, { name, type: 'f32', shape: [dims / 2], bytes: dims * 2 });
  for (const key of metadata.keys()) if (key.includes('.rope.scaling.')) metadata.delete(key);
}

/** One file of a folder, in chunks. */
export interface FolderFile {
  readonly name: string;
  readonly chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  readonly fileBytes: number;
}

/** Names of what `huggingFaceFolder` gives. */
export const FOLDER_FILES = ['model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'generation_config.json', 'config.json'] as const;

/** The folder that Hugging Face's tools load: weights and settings of `content`, and its tokenizer; config.json, by which a folder is known, last. @throws StonechatError `unsupported`. */
export function huggingFaceFolder(content: GgufContent, tokenizer: TokenizerSpec, force = false): FolderFile[] {
  const { config, tensors } = toHuggingFace(content);
  const ends = [...new Set([tokenizer.eos, ...(tokenizer.stop ?? [])])].filter((id) => id !== undefined);
  const pad = content.metadata.get(PADDING);
  const generation = { bos_token_id: tokenizer.bos, eos_token_id: ends.length > 1 ? ends : ends[0], pad_token_id: pad };
  const text = (name: string, value: string): FolderFile => {
    const bytes = new TextEncoder().encode(value);
    return { name, chunks: [bytes], fileBytes: bytes.length };
  };
  return [
    { name: 'model.safetensors', chunks: writeSafetensors(tensors), fileBytes: safetensorsBytes(tensors) },
    ...Object.entries(huggingFaceTokenizer(tokenizer, force)).map(([name, value]) => text(name, name === 'tokenizer_config.json' ? withPadding(value, pad, tokenizer) : value)),
    text('generation_config.json', `${JSON.stringify(generation, null, 2)}\n`),
    text('config.json', `${JSON.stringify({ ...config, pad_token_id: pad, ...keptFacts(content) }, null, 2)}\n`),
  ];
}

/** tokenizer_config.json with the token that pads, where the tokenizer's own writer leaves it out. */
function withPadding(config: string, pad: MetadataValue | undefined, { tokens }: TokenizerSpec): string {
  const parsed = JSON.parse(config) as Record<string, unknown>;
  if (typeof pad !== 'number' || parsed['pad_token'] !== undefined || pad >= tokens.length) return config;
  return `${JSON.stringify({ ...parsed, pad_token: tokens.at(pad) }, null, 2)}\n`;
}
