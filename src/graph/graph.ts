/** Which tokens of a run a value has rows for: all of them, or only those whose logits are wanted (the head's). */
export type Rows = 'all' | 'head';

/** A matrix of f32, one row per token. A view shares the storage of `of`, starting at column `offset`. */
export interface Value {
  readonly id: number;
  readonly columns: number;
  readonly rows: Rows;
  readonly view?: { readonly of: Value; readonly offset: number };
  /** For inspection and tests: `blk.0.attn_norm`. */
  readonly label: string;
}

/** How a weight is kept: repacked for matrix multiplication and row look-up, or as one plain f32 vector. */
export type WeightRole = 'matrix' | 'vector';

export interface WeightUse {
  readonly name: string;
  readonly role: WeightRole;
}

export type RopeStyle = 'interleaved' | 'neox';

export type Activation = 'silu' | 'gelu' | 'gelu_erf' | 'tanh';

/** One operation with its attributes; see the op table in ops.ts. */
export type Operation =
  | { op: 'embed'; ids: 'tokens' | 'positions'; table: string }
  | { op: 'window'; table: string; width: number }
  | { op: 'rmsnorm'; weight: string; epsilon: number; groups: number }
  | { op: 'layernorm'; weight: string; bias: string | undefined; epsilon: number }
  | { op: 'linear'; weight: string; logits: boolean }
  | { op: 'bias'; weight: string }
  | { op: 'rope'; heads: number; headDim: number; dims: number; style: RopeStyle }
  | { op: 'store'; layer: number; kvHeads: number; headDim: number }
  | { op: 'attention'; layer: number; heads: number; kvHeads: number; headDim: number; scale: number }
  | { op: 'gate'; activation: 'silu' | 'gelu' }
  | { op: 'activation'; activation: Activation }
  | { op: 'add' }
  | { op: 'head' }
  // Of training only; see training.ts.
  | { op: 'attention_sequence'; heads: number; kvHeads: number; headDim: number; scale: number }
  | { op: 'dropout'; branch: number }
  | { op: 'scale'; factor: number };

export type OperationName = Operation['op'];

export interface Node {
  readonly operation: Operation;
  readonly inputs: readonly Value[];
  /** `store` writes to the KV cache; its output has no columns. */
  readonly output: Value;
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

/** How far back a model looks that sees a fixed number of tokens: `width` of them, the newest included; before the text begins stands `padding`. */
export interface Window {
  readonly width: number;
  readonly padding: number;
}

/** What a model does with a block of tokens, from ids to logits. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly weights: readonly WeightUse[];
  readonly logits: Value;
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabulary: number;
  readonly trainedContext: number;
  /** Tokens that the narrowest sliding window sees. Windows do not slide here: no context may be longer. */
  readonly slidingWindow?: number | undefined;
  readonly rope: RopeScaling | undefined;
  readonly window?: Window;
}


