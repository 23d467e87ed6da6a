import { LAYOUTS, tensorBytes } from './dtypes.js';
import type { GgufContent, WrittenTensor } from './gguf-writer.js';
import { Keys } from '../models/stored.js';
import { type Config, STORED, storedName } from './huggingface.js';
import { show, unsupported } from './refuse.js';
import { isRotary, reordered, rowInPairs } from './row-order.js';
import type { SafeTensor } from './safetensors-writer.js';
import { transpose } from './safetensors.js';

export interface HuggingFaceModel {
  /** config.json */
  readonly config: Config;
  /** For writeSafetensors: Hugging Face's names and order. */
  readonly tensors: readonly SafeTensor[];
}

const DTYPES: Readonly<Record<string, string>> = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' };

/** A model in GGUF's terms as Hugging Face has it. @throws StonechatError `unsupported` for architectures without a form there. */
export function toHuggingFace({ metadata, tensors }: GgufContent): HuggingFaceModel {
  const architecture = String(metadata.get('general.architecture'));
  const form = Object.hasOwn(STORED, architecture) ? STORED[architecture] : undefined;
  if (!form) throw unsupported(`one of the architectures ${Object.keys(STORED).join(', ')}`, show(architecture), 'Hugging Face has no form of this model: keep it as GGUF.');
  const keys = new Keys(metadata, architecture);
  const names = new Set(tensors.map(({ name }) => name));
  if (names.has('rope_freqs.weight')) throw unsupported('rotary frequencies that config.json can tell', 'a table rope_freqs.weight', 'Convert from the Hugging Face folder that the GGUF file was made of.');
  const matrix = tensors.find(({ name }) => name === 'token_embd.weight');
  const common = {
    architectures: [form.className], model_type: architecture, torch_dtype: DTYPES[matrix?.type ?? 'f32'], tie_word_embeddings: !names.has('output.weight'),
    vocab_size: matrix?.shape[1], bos_token_id: metadata.get('tokenizer.ggml.bos_token_id'), eos_token_id: metadata.get('tokenizer.ggml.eos_token_id'), use_cache: true,
  };
  const own = form.config(keys, names);
  const headDim = form.halves ? keys.headDim() : 0;
  return { config: Object.fromEntries(Object.entries({ ...common, ...own }).filter(([, value]) => value !== undefined)), tensors: tensors.map((tensor) => toStored(tensor, architecture, headDim)) };
}

function toStored(tensor: WrittenTensor, architecture: string, headDim: number): SafeTensor {
  const { name, type, shape } = tensor;
  const target = storedName(name, architecture);
  if (target === undefined) throw unsupported(`only tensors of the ${architecture} architecture`, show(name), 'This variant has no form there: keep it as GGUF.');
  const total = tensorBytes(type, shape)!;
  const rowMajor = [...shape].reverse();
  if (target.transposed) return { name: target.name, type, shape: [...shape], read: turned(tensor, total) };
  const rows = shape.length > 1 ? shape[1]! : shape[0]!;
  const read = headDim && isRotary(name) ? reordered((offset, into) => tensor.read(offset, into), total, rows, (row) => rowInPairs(row, headDim)) : (offset: number, into: Uint8Array) => tensor.read(offset, into);
  return { name: target.name, type, shape: rowMajor, read };
}

/** Conv1D's [inputs][outputs] from [outputs][inputs]. */
function turned({ shape, type, read }: WrittenTensor, total: number): SafeTensor['read'] {
  let whole: Promise<Uint8Array> | undefined;
  const load = async () => {
    const stored = new Uint8Array(total);
    await read(0, stored);
    return stored;
  };
  return async (offset, into) => {
    whole ??= load();
    transpose(await whole, shape[1]!, shape[0]!, LAYOUTS[type].bytes, offset, into);
    if (offset + into.length >= total) whole = undefined;
  };
}
