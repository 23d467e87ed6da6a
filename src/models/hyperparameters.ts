import { StonechatError } from '../errors.js';
import { quote } from '../files/refuse.js';
import type { MetadataValue, ModelFile } from '../files/types.js';
import type { RopeScaling } from '../graph/graph.js';
import type { RopeStyle } from '../ops/rope.js';

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

  raw(key: string): MetadataValue | undefined {
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
  /** Tokens that a sliding window sees, if there is one. */
  readonly slidingWindow: number | undefined;
  /** Whether it holds in a layer. */
  readonly slides: (layer: number) => boolean;
}

const MOST_LAYERS = 1024;

/** What llama.cpp computes with in other architectures; values that change nothing. */
const FOREIGN: Readonly<Record<string, readonly MetadataValue[]>> = {
  logit_scale: [0, 1], residual_scale: [0, 1], embedding_scale: [0, 1], attn_logit_softcapping: [0], final_logit_softcapping: [0],
  'attention.scale': [0], 'attention.clamp_kqv': [0], 'attention.max_alibi_bias': [0], 'attention.causal': [true], 'attention.temperature_scale': [0], use_parallel_residual: [false],
  expert_count: [0], 'rope.dimension_sections': [], 'rope.scaling.yarn_log_multiplier': [0], 'rope.scaling.yarn_attn_factor': [1], 'rope.scaling.yarn_ext_factor': [-1, 1], 'rope.scaling.alpha': [0, 1],
};

function refuseForeign(h: Hyperparameters): void {
  for (const [key, usual] of Object.entries(FOREIGN)) {
    const value = h.raw(key);
    if (value === undefined || usual.includes(value)) continue;
    throw new StonechatError({
      code: 'unsupported',
      expected: `metadata ${h.architecture}.${key} ${usual.length ? `to be ${usual.join(' or ')}` : 'not to be there'}`,
      found: typeof value === 'object' ? 'a list' : String(value),
      remedy: 'This variant of the architecture is not implemented; use another model.',
    });
  }
}

export function readShape(h: Hyperparameters): Shape {
  refuseForeign(h);
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
    slidingWindow: h.index('attention.sliding_window', 0, 2 ** 31) || undefined,
    slides: readSlides(h),
  };
}

/** Of each layer, as llama.cpp writes it; without it all slide. */
function readSlides(h: Hyperparameters): (layer: number) => boolean {
  const pattern = h.raw('attention.sliding_window_pattern');
  if (pattern === undefined) return () => true;
  const layers = h.size('block_count');
  if (Array.isArray(pattern) && pattern.length === layers && pattern.every((slides) => typeof slides === 'boolean')) return (layer) => pattern[layer] as boolean;
  throw new StonechatError({
    code: 'unsupported',
    expected: `metadata ${h.architecture}.attention.sliding_window_pattern to be true or false for each of ${layers} layers`,
    found: typeof pattern === 'object' ? 'another list' : String(pattern),
    remedy: 'This variant of the architecture is not implemented; use another model.',
  });
}

const KINDS: ReadonlyMap<string, RopeScaling['kind']> = new Map([['none', 'none'], ['linear', 'linear'], ['yarn', 'yarn'], ['llama3', 'llama3']]);

/** Rotary settings under GGUF's keys; YaRN and Llama 3 defaults as in llama.cpp, which scales linearly where nothing is said. */
export function readRope(h: Hyperparameters, shape: Shape): RopeScaling {
  const type = h.text('rope.scaling.type') ?? 'linear';
  const kind = KINDS.get(type);
  if (!kind) {
    throw new StonechatError({
      code: 'unsupported',
      expected: `rope scaling to be one of ${[...KINDS.keys()].join(', ')}`,
      found: quote(type),
      remedy: 'Use a model with one of these, or its variant with the shorter context.',
    });
  }
  const linear = h.real('rope.scale_linear', 1);
  const factor = h.real('rope.scaling.factor', linear);
  const yarn = kind === 'yarn';
  const [mscale, all] = [h.optional('rope.scaling.yarn_mscale'), h.optional('rope.scaling.yarn_mscale_all_dim')];
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
    kind: factor > 0 && factor !== 1 ? (yarn && h.raw('rope.scaling.yarn_truncate') === false ? 'yarn_exact' : kind) : 'none',
    factor,
    low: yarn ? h.real('rope.scaling.yarn_beta_slow', 1) : h.real('rope.scaling.low_freq_factor', 1),
    high: yarn ? h.real('rope.scaling.yarn_beta_fast', 32) : h.real('rope.scaling.high_freq_factor', 4),
    originalContext: h.real('rope.scaling.original_context_length', shape.context),
    attentionFactor: h.optional('rope.scaling.attention_factor'),
    ...(mscale && all ? { logShares: [mscale, all] as const } : {}),
    attentionScale: h.real('rope.scaling.attn_factor', 1),
    factors: h.file.tensors.has('rope_freqs.weight') ? 'rope_freqs.weight' : undefined,
  };
}

/** The file's own word on the order of rotary pairs, else what the architecture's GGUF files use. */
export function readRopeStyle(h: Hyperparameters, usual: RopeStyle): RopeStyle {
  const style = h.file.metadata.get('stonechat.rope.style');
  return style === 'neox' || style === 'interleaved' ? style : usual;
}
