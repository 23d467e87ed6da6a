import { gpt2Stored } from '../models/gpt2.js';
import { llamaStored } from '../models/llama.js';
import { qwen2Stored } from '../models/qwen2.js';
import { qwen3Stored } from '../models/qwen3.js';
import type { StoredForm } from '../models/stored.js';
import { type Config, insist } from './huggingface-values.js';
import { quote, show, unsupported } from './refuse.js';
import type { MetadataValue } from './types.js';

export type { Config } from './huggingface-values.js';

/** By architecture. */
export const STORED: Readonly<Record<string, StoredForm>> = { llama: llamaStored, qwen2: qwen2Stored, qwen3: qwen3Stored, gpt2: gpt2Stored };

/** By `model_type`. */
const FAMILIES = new Map(Object.entries(STORED).flatMap(([architecture, form]) => Object.entries(form.families).map(([type, family]) => [type, { architecture, form, family }] as const)));

/** What other families compute with: where a file of these has it, it is a variant that is not implemented. */
const FOREIGN: Readonly<Record<string, readonly unknown[]>> = {
  attn_logit_softcapping: [], final_logit_softcapping: [], query_pre_attn_scalar: [], attention_multiplier: [], clip_qkv: [], attention_chunk_size: [], no_rope_layers: [],
  logit_scale: [1], logits_scaling: [1], embedding_multiplier: [1], residual_multiplier: [1], qk_layernorm: [false], use_qk_norm: [false], alibi: [false],
  parallel_attn: [false], use_parallel_residual: [false], rope_interleaved: [false], rope_interleave: [false],
  num_experts: [0, 1], num_local_experts: [0, 1], n_routed_experts: [0], is_encoder_decoder: [false],
};

/** What config.json says. */
export interface Translated {
  readonly architecture: string;
  readonly metadata: Map<string, MetadataValue>;
  /** What has a bias, by GGUF's names without the block. */
  readonly biases: readonly string[];
  /** The output layer is the embedding. */
  readonly tied: boolean;
}

/** config.json under GGUF's keys. @throws StonechatError `unsupported` model_type, activation, rope scaling; `bad-file`. */
export function translateConfig(config: Config): Translated {
  const type = config.model_type;
  const known = typeof type === 'string' ? FAMILIES.get(type) : undefined;
  if (!known) throw unsupported(`model_type ${[...FAMILIES.keys()].join(', ')} in config.json`, show(type), 'Use a model of one of these families.');
  const { architecture, form, family } = known, tied = config.tie_word_embeddings;
  for (const [key, usual] of Object.entries(FOREIGN)) insist(config, key, usual);
  const entries = form.entries(config, family);
  const metadata = new Map<string, MetadataValue>([['general.architecture', architecture]]);
  for (const [key, value] of Object.entries(entries)) if (value !== undefined) metadata.set(`${architecture}.${key}`, value);
  // Hugging Face keeps rotary pairs as two halves of a head; GGUF's llama files interleave them.
  if (form.halves) metadata.set('stonechat.rope.style', 'neox');
  for (const name of ['bos', 'eos']) {
    const value = config[`${name}_token_id`];
    const id: unknown = Array.isArray(value) ? value[0] : value;
    if (Number.isInteger(id)) metadata.set(`tokenizer.ggml.${name}_token_id`, id as number);
  }
  return { architecture, metadata, biases: family.biases(config), tied: typeof tied === 'boolean' ? tied : form.tied };
}

export interface TargetName {
  /** GGUF name. */
  readonly name: string;
  /** Stored [inputs][outputs] (GPT-2's Conv1D) instead of [outputs][inputs]. */
  readonly transposed: boolean;
}

/** Buffers that checkpoints carry along: masks and tables, no weights. */
const isBuffer = (name: string): boolean => /\.attn\.(bias|masked_bias)$|rotary_emb\.inv_freq$/.test(name);

const isTurned = ({ transposed }: StoredForm, kind: string | undefined, stored: string): boolean => transposed && kind === 'weight' && /^(attn|mlp)\./.test(stored);

/** The GGUF name of a Hugging Face tensor; undefined for what is no weight. @throws StonechatError `unsupported` for unknown names. */
export function translateName(name: string, architecture: string): TargetName | undefined {
  if (isBuffer(name)) return undefined;
  const form = STORED[architecture]!;
  const [, path, kind] = /^(?:model\.|transformer\.)?(.+)\.(weight|bias)$/.exec(name) ?? [];
  const [, layer, part] = /^(?:layers|h)\.(\d{1,4})\.(.+)$/.exec(path ?? '') ?? [];
  const table = part ? form.layer : form.top;
  const key = part ?? path ?? '';
  if (!Object.hasOwn(table, key)) {
    throw unsupported(`only tensors of the ${architecture} architecture`, quote(name), 'This is a variant (adapter, quantised or mixture-of-experts weights?) that is not implemented.');
  }
  const prefix = layer === undefined ? '' : `blk.${Number(layer)}.`;
  return { name: `${prefix}${table[key]}.${kind}`, transposed: isTurned(form, kind, key) };
}

/** The other way: the name that transformers' save_pretrained gives; undefined for what it has no name for. */
export function storedName(name: string, architecture: string): TargetName | undefined {
  const form = STORED[architecture]!;
  const [, layer, part, kind] = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const [stored] = Object.entries(layer === undefined ? form.top : form.layer).find(([, own]) => own === part) ?? [];
  if (stored === undefined) return undefined;
  const root = stored === 'lm_head' ? '' : form.root;
  const place = layer === undefined ? '' : `${form.blocks}${layer}.`;
  return { name: `${root}${place}${stored}.${kind}`, transposed: isTurned(form, kind, stored) };
}
