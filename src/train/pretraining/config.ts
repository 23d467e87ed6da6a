import { StonechatError } from '../../errors.js';
import type { MetadataValue } from '../../files/types.js';

export const TRAINED_ARCHITECTURES = ['llama', 'gpt2', 'nplm'] as const;

/** Sizes and style of a model to be trained. */
export interface ModelConfig {
  /**
   * llama: RMSNorm, rotary positions, SwiGLU. gpt2: LayerNorm, learned or sinusoidal positions, GELU.
   * nplm: the feed-forward network of Bengio et al. 2003 over a window of tokens; no layers, heads or positions, never tied.
   */
  readonly architecture: (typeof TRAINED_ARCHITECTURES)[number];
  readonly embedding: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values that query heads share (llama). */
  readonly kvHeads: number;
  readonly feedForward: number;
  /** Tokens that attention sees, and the length of training sequences. */
  readonly context: number;
  readonly vocabulary: number;
  /** The output layer is the token embedding. */
  readonly tied: boolean;
  /** gpt2 only. */
  readonly positions: 'learned' | 'sinusoidal';
  readonly ropeBase: number;
  /** nplm only: tokens that the next one is told from, and the id that stands before a text begins. */
  readonly window: number;
  readonly padding: number;
  /** nplm only: embeddings also reach the output layer directly, around the hidden units. */
  readonly direct?: boolean;
}

/** How a weight begins: normal with this deviation, or all of one value, or the fixed sinusoids of Vaswani et al. 2017. */
export type Initializer = { readonly normal: number } | { readonly value: number } | 'sinusoids';

export interface WeightShape {
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: Initializer;
}

const EPSILON = 1e-5;
const DEVIATION = 0.02;

const bad = (expected: string, found: string, remedy: string) => new StonechatError({ code: 'bad-option', expected, found, remedy });

/** @throws StonechatError `bad-option` for sizes that make no model. */
export function checkConfig(config: ModelConfig): void {
  const sizes = ['embedding', 'layers', 'heads', 'kvHeads', 'feedForward', 'context', 'vocabulary', 'window'] as const;
  for (const name of sizes) {
    const value: unknown = config[name];
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > 1 << 24) throw bad(`${name} as a whole number from 1`, String(value), 'Correct the model configuration.');
  }
  const { architecture, embedding, heads, kvHeads, positions, ropeBase } = config;
  if (!TRAINED_ARCHITECTURES.includes(architecture)) throw bad(`architecture ${TRAINED_ARCHITECTURES.join(', ')}`, String(architecture), 'Choose one of them.');
  if (architecture === 'nplm') return checkWindow(config);
  if (embedding % heads !== 0 || (embedding / heads) % 2 !== 0) throw bad('embedding to be an even multiple of heads', `${embedding} and ${heads}`, `For instance embedding ${heads * 32}.`);
  if (heads % kvHeads !== 0) throw bad('heads to be a multiple of kvHeads', `${heads} and ${kvHeads}`, `Use kvHeads ${heads}.`);
  if (architecture === 'gpt2' && kvHeads !== heads) throw bad('as many kvHeads as heads in a gpt2 model', `${kvHeads} and ${heads}`, 'Leave kvHeads out, or use architecture "llama".');
  if (positions !== 'learned' && positions !== 'sinusoidal') throw bad('positions "learned" or "sinusoidal"', String(positions), 'Choose one of them.');
  if (!(ropeBase > 0)) throw bad('ropeBase above 0', String(ropeBase), 'The usual one is 10000.');
}

function checkWindow({ embedding, window, padding, vocabulary, tied }: ModelConfig): void {
  if (embedding % 8 !== 0) throw bad('embedding to be a multiple of 8 in an nplm model', String(embedding), 'For instance 32.');
  if (window > 1024) throw bad('a window of 1 to 1024 tokens', String(window), 'A few tokens are usual: 5.');
  if (!Number.isInteger(padding) || padding < 0 || padding >= vocabulary) throw bad(`padding to be an id below ${vocabulary}`, String(padding), 'Use the id of BOS.');
  if (tied) throw bad('tied false in an nplm model', 'true', 'Its output layer takes hidden units, not embeddings.');
}

/** GGUF metadata of a model of this configuration, but for its tokenizer. */
export function metadataOf(config: ModelConfig, name: string): Map<string, MetadataValue> {
  const { architecture } = config;
  const keys = { ...(architecture === 'nplm' ? windowKeys(config) : transformerKeys(config)), vocab_size: config.vocabulary };
  const own = Object.entries(keys).flatMap(([key, value]): [string, MetadataValue][] => (value === undefined ? [] : [[`${architecture}.${key}`, value]]));
  return new Map<string, MetadataValue>([['general.architecture', architecture], ['general.name', name], ...own]);
}

const windowKeys = ({ window, embedding, feedForward, padding }: ModelConfig): Record<string, MetadataValue> => ({
  context_length: window,
  embedding_length: embedding,
  block_count: 1,
  feed_forward_length: feedForward,
  padding_token_id: padding,
});

function transformerKeys(config: ModelConfig): Record<string, MetadataValue | undefined> {
  const { architecture, embedding, heads } = config;
  const llama = architecture === 'llama';
  return {
    context_length: config.context,
    embedding_length: embedding,
    block_count: config.layers,
    feed_forward_length: config.feedForward,
    'attention.head_count': heads,
    'attention.head_count_kv': llama ? config.kvHeads : undefined,
    'attention.layer_norm_rms_epsilon': llama ? EPSILON : undefined,
    'attention.layer_norm_epsilon': llama ? undefined : EPSILON,
    'rope.dimension_count': llama ? embedding / heads : undefined,
    'rope.freq_base': llama ? config.ropeBase : undefined,
  };
}

/** The weights by GGUF name, in file order, and how they begin: GPT-2's way, the projections into the residual stream scaled down with depth. */
export function weightsOf(config: ModelConfig): WeightShape[] {
  const { embedding, vocabulary, layers, context, tied, positions, architecture } = config;
  if (architecture === 'nplm') return nplmWeights(config);
  const gpt2 = architecture === 'gpt2';
  const output = tied ? [] : [matrix('output.weight', embedding, vocabulary)];
  const table = { ...matrix('position_embd.weight', embedding, context), ...(positions === 'sinusoidal' ? { init: 'sinusoids' as const } : {}) };
  const blocks = Array.from({ length: layers }, (_, layer) => (gpt2 ? gpt2Block : llamaBlock)(config, `blk.${layer}`)).flat();
  return [matrix('token_embd.weight', embedding, vocabulary), ...(gpt2 ? [table] : []), ...blocks, ...norm('output_norm', embedding, gpt2), ...output];
}

/** Fixed tables do not learn. */
export const isTrained = (config: ModelConfig) => (name: string): boolean => name !== 'position_embd.weight' || config.positions === 'learned';

const matrix = (name: string, columns: number, rows: number, deviation = DEVIATION): WeightShape => ({ name, shape: [columns, rows], init: { normal: deviation } });
const vector = (name: string, columns: number, value: number): WeightShape => ({ name, shape: [columns], init: { value } });
const norm = (name: string, columns: number, bias: boolean): WeightShape[] => [vector(`${name}.weight`, columns, 1), ...(bias ? [vector(`${name}.bias`, columns, 0)] : [])];
const residual = ({ layers }: ModelConfig): number => DEVIATION / Math.sqrt(2 * layers);

function llamaBlock(config: ModelConfig, name: string): WeightShape[] {
  const { embedding, heads, kvHeads, feedForward } = config;
  const kv = (embedding / heads) * kvHeads;
  return [
    ...norm(`${name}.attn_norm`, embedding, false),
    matrix(`${name}.attn_q.weight`, embedding, embedding),
    matrix(`${name}.attn_k.weight`, embedding, kv),
    matrix(`${name}.attn_v.weight`, embedding, kv),
    matrix(`${name}.attn_output.weight`, embedding, embedding, residual(config)),
    ...norm(`${name}.ffn_norm`, embedding, false),
    matrix(`${name}.ffn_gate.weight`, embedding, feedForward),
    matrix(`${name}.ffn_up.weight`, embedding, feedForward),
    matrix(`${name}.ffn_down.weight`, feedForward, embedding, residual(config)),
  ];
}

function gpt2Block(config: ModelConfig, name: string): WeightShape[] {
  const { embedding, feedForward } = config;
  const linear = (stem: string, columns: number, rows: number, deviation?: number) => [matrix(`${name}.${stem}.weight`, columns, rows, deviation), vector(`${name}.${stem}.bias`, rows, 0)];
  return [
    ...norm(`${name}.attn_norm`, embedding, true),
    ...linear('attn_qkv', embedding, 3 * embedding),
    ...linear('attn_output', embedding, embedding, residual(config)),
    ...norm(`${name}.ffn_norm`, embedding, true),
    ...linear('ffn_up', embedding, feedForward),
    ...linear('ffn_down', feedForward, embedding, residual(config)),
  ];
}

/** Deviations that keep tanh in its middle: embeddings of about 0.1, hidden sums of about 0.5, logits near zero. */
function nplmWeights({ embedding, vocabulary, window, feedForward, direct }: ModelConfig): WeightShape[] {
  const seen = embedding * window;
  return [
    matrix('token_embd.weight', embedding, vocabulary, NPLM_EMBEDDING),
    matrix('blk.0.ffn_up.weight', seen, feedForward, NPLM_HIDDEN / (NPLM_EMBEDDING * Math.sqrt(seen))),
    vector('blk.0.ffn_up.bias', feedForward, 0),
    matrix('output.weight', feedForward, vocabulary),
    vector('output.bias', vocabulary, 0),
    ...(direct ? [matrix('output_direct.weight', seen, vocabulary)] : []),
  ];
}

const NPLM_EMBEDDING = 0.1;
const NPLM_HIDDEN = 0.5;

/** [tokens up to, embedding, layers, heads, key/value heads, context]: about one parameter for every few tokens, so that a small corpus is not learnt by heart. */
const LADDER = [
  [30_000, 64, 2, 4, 2, 64],
  [200_000, 96, 4, 4, 2, 128],
  [1_000_000, 128, 4, 4, 2, 128],
  [4_000_000, 192, 6, 6, 3, 256],
  [20_000_000, 256, 6, 8, 4, 256],
  [Infinity, 384, 8, 8, 4, 256],
] as const;

const USUAL = { tied: true, positions: 'learned', ropeBase: 10000, window: 5, padding: 0 } as const;

/** Embeddings half as wide as a transformer's, hidden units four times as many. */
function autoWindow(size: number, context: number, settled: Partial<ModelConfig> & { readonly vocabulary: number }): ModelConfig {
  const embedding = settled.embedding ?? size / 2;
  return { architecture: 'nplm', layers: 1, heads: 1, kvHeads: 1, context, ...USUAL, tied: false, ...settled, embedding, feedForward: settled.feedForward ?? 4 * embedding };
}

/** A sensible model for a corpus, with what the caller has settled already. */
export function autoConfig(tokens: number, settled: Partial<ModelConfig> & { readonly vocabulary: number }): ModelConfig {
  const [, size, layers, heads, kvHeads, context] = LADDER.find(([most]) => tokens <= most)!;
  if (settled.architecture === 'nplm') return autoWindow(size, context, settled);
  const gpt2 = settled.architecture === 'gpt2';
  const embedding = settled.embedding ?? size;
  const headCount = settled.heads ?? (settled.embedding === undefined ? heads : headsFor(embedding));
  const usual = settled.heads === undefined && settled.embedding === undefined;
  return {
    architecture: 'llama',
    embedding,
    layers,
    heads: headCount,
    kvHeads: gpt2 || !usual ? headCount : kvHeads,
    // SwiGLU has three matrices where GELU has two: 8/3 instead of 4 keeps the size (Shazeer 2020).
    feedForward: gpt2 ? 4 * embedding : Math.ceil((embedding * 8) / 3 / 32) * 32,
    context,
    ...USUAL,
    ...settled,
  };
}

/** Heads of about 32 dimensions that divide the embedding evenly. */
function headsFor(embedding: number): number {
  for (let heads = Math.max(1, Math.round(embedding / 32)); heads > 1; heads--) if (embedding % heads === 0 && (embedding / heads) % 2 === 0) return heads;
  return 1;
}

/** Tokens to learn for a corpus of so many bytes. */
export const autoVocabulary = (bytes: number): number => ([[20_000, 300], [100_000, 512], [1_000_000, 1024], [5_000_000, 2048]].find(([most]) => bytes <= most!)?.[1] ?? 4096);
