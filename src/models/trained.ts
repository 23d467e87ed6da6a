// What a model that is to be trained is made of: one form per architecture.
import type { MetadataValue } from '../files/types.js';

/** Sizes and style of a model to be trained. */
export interface ModelConfig {
  /**
   * llama: RMSNorm, rotary positions, SwiGLU. gpt2: LayerNorm, learned or sinusoidal positions, GELU.
   * nplm: the feed-forward network of Bengio et al. 2003 over a window of tokens; no layers, heads or positions, never tied.
   */
  readonly architecture: 'llama' | 'gpt2' | 'nplm';
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

/** How models of an architecture begin. */
export interface TrainedForm {
  /** Metadata under GGUF's keys, without the architecture. */
  keys(config: ModelConfig): Record<string, MetadataValue | undefined>;
  /** The weights by GGUF name, in file order. */
  weights(config: ModelConfig): WeightShape[];
}

export const EPSILON = 1e-5;
const DEVIATION = 0.02;

export const matrix = (name: string, columns: number, rows: number, deviation = DEVIATION): WeightShape => ({ name, shape: [columns, rows], init: { normal: deviation } });
export const vector = (name: string, columns: number, value: number): WeightShape => ({ name, shape: [columns], init: { value } });
export const norm = (name: string, columns: number, bias: boolean): WeightShape[] => [vector(`${name}.weight`, columns, 1), ...(bias ? [vector(`${name}.bias`, columns, 0)] : [])];
/** GPT-2's way: projections into the residual stream are scaled down with depth. */
export const residual = ({ layers }: ModelConfig): number => DEVIATION / Math.sqrt(2 * layers);


/** Embedding, blocks, the last normalisation, and an output layer unless it is tied. */
export function decoderWeights(config: ModelConfig, block: (config: ModelConfig, name: string) => WeightShape[], { bias, more = [] }: { bias: boolean; more?: WeightShape[] }): WeightShape[] {
  const { embedding, vocabulary, layers, tied } = config;
  const blocks = Array.from({ length: layers }, (_, layer) => block(config, `blk.${layer}`)).flat();
  const output = tied ? [] : [matrix('output.weight', embedding, vocabulary)];
  return [matrix('token_embd.weight', embedding, vocabulary), ...more, ...blocks, ...norm('output_norm', embedding, bias), ...output];
}

/** Keys that all transformers have. */
export const transformerKeys = ({ context, embedding, layers, feedForward, heads }: ModelConfig): Record<string, MetadataValue | undefined> => ({
  context_length: context,
  embedding_length: embedding,
  block_count: layers,
  feed_forward_length: feedForward,
  'attention.head_count': heads,
});
