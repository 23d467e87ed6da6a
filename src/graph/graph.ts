import type { Node, Value } from './node.js';

/** How a weight is kept: repacked for matrix multiplication and row look-up, or as one plain f32 vector. */
export type WeightRole = 'matrix' | 'vector';

export interface WeightUse {
  readonly name: string;
  readonly role: WeightRole;
}

/** Rotary position embedding, in the terms of GGUF's `rope.scaling.*`. */
export interface RopeScaling {
  readonly dims: number;
  readonly base: number;
  readonly kind: 'none' | 'linear' | 'yarn' | 'llama3' | 'yarn_exact';
  readonly factor: number;
  /** yarn (yarn_exact: with bounds that are not rounded): beta_slow, beta_fast; llama3: low_freq_factor, high_freq_factor. */
  readonly low: number;
  readonly high: number;
  readonly originalContext: number;
  /** Multiplies cos and sin (Hugging Face's `attention_factor`); undefined: what the kind prescribes. */
  readonly attentionFactor: number | undefined;
  /** In its place, the shares of the logarithm above and below the line (Hugging Face's `mscale`, `mscale_all_dim`). */
  readonly logShares?: readonly [number, number];
  /** Multiplies what the kind prescribes (llama.cpp's `attn_factor`). */
  readonly attentionScale: number;
  /** Name of the tensor whose entries divide the frequencies (`rope_freqs.weight`), if the model has one. */
  readonly factors: string | undefined;
}

/** What a graph takes, row by row. */
export type Input =
  /** i32: ids below `below`. */
  | { readonly kind: 'ids'; readonly below: number }
  /** i32: places in the sequence. */
  | { readonly kind: 'positions' }
  /** i32 [width]: the ids that a row looks back at, oldest first, its own included; `padding` before the text begins. */
  | { readonly kind: 'contextIds'; readonly width: number; readonly padding: number }
  /** f32 [dims]: cosines and sines of a rotary embedding, computed from the positions. */
  | { readonly kind: 'angles'; readonly rope: RopeScaling }
  /** i32 or f32, one for each row: targets of a loss, its factors. */
  | { readonly kind: 'numbers' }
  /** i32: the first row of each sequence of a run, and behind the last the number of all rows. */
  | { readonly kind: 'spans' }
  /** f32 [columns]: embeddings, pixels. */
  | { readonly kind: 'rows'; readonly columns: number };

/** What a sequence keeps from run to run: keys and values, of the last `window` rows at least (0: of all). */
export type State = { readonly kind: 'kv'; readonly kvHeads: number; readonly headDim: number; readonly window: number };

/** What a model does with the rows of a run. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly weights: readonly WeightUse[];
  readonly inputs: Readonly<Record<string, Input>>;
  /** By name: logits, loss. */
  readonly outputs: Readonly<Record<string, Value>>;
  readonly states: readonly State[];
}

/** An output that must be there. */
export function outputOf({ outputs }: Pick<Graph, 'outputs'>, name: string): Value {
  const value = outputs[name];
  if (!value) throw new Error(`the graph has no output ${name}, but ${Object.keys(outputs).join(', ')}`);
  return value;
}
