import { StonechatError } from '../errors.js';
import type { MetadataValue, ModelFile } from '../files/types.js';
import type { RopeScaling, RopeStyle } from '../graph/graph.js';

/** Reads `<architecture>.<key>` numbers with one clear error for what is missing or absurd. */
export class Hyperparameters {
  readonly architecture: string;

  constructor(readonly file: ModelFile) {
    this.architecture = String(file.metadata.get('general.architecture'));
  }

  /** A whole number from 1 to `most`. */
  size(key: string, fallback?: number, most = 1 << 24): number {
    return this.check(key, this.raw(key) ?? fallback, (x) => Number.isInteger(x) && x >= 1 && x <= most, `a whole number from 1 to ${most}`);
  }

  /** A whole number from 0 to `end` - 1. */
  index(key: string, fallback: number, end: number): number {
    return this.check(key, this.raw(key) ?? fallback, (x) => Number.isInteger(x) && x >= 0 && x < end, `a whole number from 0 to ${end - 1}`);
  }

  /** A finite number of at least `least`. */
  real(key: string, fallback?: number, least = 0): number {
    return this.check(key, this.raw(key) ?? fallback, (x) => Number.isFinite(x) && x >= least, `a finite number of at least ${least}`);
  }

  /** As `real`, undefined where the file says nothing. */
  optional(key: string): number | undefined {
    return this.raw(key) === undefined ? undefined : this.real(key);
  }

  text(key: string): string | undefined {
    const value = this.raw(key);
    return typeof value === 'string' ? value : undefined;
  }

  private raw(key: string): MetadataValue | undefined {
    return this.file.metadata.get(`${this.architecture}.${key}`);
  }

  private check(key: string, value: MetadataValue | undefined, good: (x: number) => boolean, expected: string): number {
    // Some converters write one value per layer; equal entries are as good as one.
    const list = typeof value === 'object' ? [...value] : [];
    const one = list.length > 0 && list.every((x) => x === list[0]) ? list[0] : value;
    const number = typeof one === 'bigint' ? Number(one) : one;
    if (typeof number === 'number' && good(number)) return number;
    throw new StonechatError({
      code: typeof value === 'object' ? 'unsupported' : 'bad-file',
      expected: `metadata ${this.architecture}.${key} to be ${expected}`,
      found: value === undefined ? 'nothing' : typeof value === 'object' ? 'values that differ from layer to layer' : String(value),
      remedy: 'Convert the model again with current tools, or use another file of it.',
    });
  }
}

/** The sizes that all decoder architectures share. */
export interface Shape {
  readonly embedding: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  readonly context: number;
}

const MOST_LAYERS = 1024;

export function readShape(h: Hyperparameters): Shape {
  const embedding = h.size('embedding_length');
  const heads = h.size('attention.head_count', undefined, 4096);
  const kvHeads = h.size('attention.head_count_kv', heads, 4096);
  const headDim = h.size('attention.key_length', Math.floor(embedding / heads), 4096);
  const table = h.file.tensors.get('token_embd.weight');
  if (heads % kvHeads !== 0 || h.size('attention.value_length', headDim, 4096) !== headDim) {
    throw new StonechatError({
      code: 'unsupported',
      expected: 'query heads to be a multiple of key/value heads, and keys as long as values',
      found: `${heads} and ${kvHeads} heads, lengths ${headDim} and ${h.size('attention.value_length', headDim, 4096)}`,
      remedy: 'This attention shape is not implemented; use another model.',
    });
  }
  return {
    embedding,
    layers: h.size('block_count', undefined, MOST_LAYERS),
    heads,
    kvHeads,
    headDim,
    feedForward: h.size('feed_forward_length'),
    vocabulary: table?.shape[1] ?? h.size('vocab_size'),
    context: h.size('context_length'),
  };
}

const KINDS: Record<string, RopeScaling['kind']> = { none: 'none', linear: 'linear', yarn: 'yarn', llama3: 'llama3', default: 'none' };

/** Rotary settings under GGUF's keys; YaRN and Llama 3 defaults as in llama.cpp. */
export function readRope(h: Hyperparameters, shape: Shape): RopeScaling {
  const type = h.text('rope.scaling.type') ?? 'none';
  const kind = KINDS[type];
  if (!kind) {
    throw new StonechatError({
      code: 'unsupported',
      expected: `rope scaling to be one of ${Object.keys(KINDS).join(', ')}`,
      found: type,
      remedy: 'Use a model with one of these, or its variant with the shorter context.',
    });
  }
  const linear = h.real('rope.scale_linear', 1);
  const factor = h.real('rope.scaling.factor', linear);
  const yarn = kind === 'yarn';
  const dims = h.size('rope.dimension_count', shape.headDim, 4096);
  if (dims > shape.headDim || dims % 2 !== 0) {
    throw new StonechatError({
      code: 'bad-file',
      expected: `an even number of rotary dimensions of at most ${shape.headDim}`,
      found: String(dims),
      remedy: 'Convert the model again with current tools.',
    });
  }
  return {
    dims,
    base: h.real('rope.freq_base', 10000, 1e-3),
    kind: factor > 0 && factor !== 1 ? (kind === 'none' ? 'linear' : kind) : 'none',
    factor,
    low: yarn ? h.real('rope.scaling.yarn_beta_slow', 1) : h.real('rope.scaling.low_freq_factor', 1),
    high: yarn ? h.real('rope.scaling.yarn_beta_fast', 32) : h.real('rope.scaling.high_freq_factor', 4),
    originalContext: h.real('rope.scaling.original_context_length', shape.context),
    attentionFactor: h.optional('rope.scaling.attention_factor'),
    attentionScale: h.real('rope.scaling.attn_factor', 1),
    factors: h.file.tensors.has('rope_freqs.weight') ? 'rope_freqs.weight' : undefined,
  };
}

/** The file's own word on the order of rotary pairs, else what the architecture's GGUF files use. */
export function readRopeStyle(h: Hyperparameters, usual: RopeStyle): RopeStyle {
  const style = h.file.metadata.get('stonechat.rope.style');
  return style === 'neox' || style === 'interleaved' ? style : usual;
}
