import { badFile, show, unsupported } from './refuse.js';
import { type Config, isObject, real } from './huggingface-values.js';
import type { MetadataValue } from './types.js';

type Entries = Record<string, MetadataValue | undefined>;

/** Keys of `rope_parameters` (before transformers 5: `rope_scaling`) that some kind of scaling uses. */
const KNOWN = new Set([
  'rope_theta', 'rope_type', 'type', 'factor', 'original_max_position_embeddings', 'partial_rotary_factor', 'low_freq_factor', 'high_freq_factor',
  'attention_factor', 'beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim', 'truncate', 'short_factor', 'long_factor',
]);

/** As Python's `or`: an empty object counts as none. */
const filled = (value: unknown): Config | undefined => (isObject(value) && Object.keys(value).length > 0 ? value : undefined);

/**
 * Rotary settings under GGUF's keys, as transformers 5 puts them together: `rope_scaling` goes before `rope_parameters`;
 * what stands in it goes before what stands beside it.
 * @throws StonechatError `unsupported` for kinds of scaling and keys that are not known.
 */
export function ropeEntries(config: Config, headDim: number, context: number): Entries {
  const rope = filled(config.rope_scaling) ?? filled(config.rope_parameters) ?? {};
  const strange = Object.keys(rope).find((key) => !KNOWN.has(key) && rope[key] !== null);
  if (strange !== undefined) throw unsupported('rotary settings that are known, in config.json', `${show(strange)}: ${show(rope[strange])}`, VARIANT);
  const type = rope.rope_type ?? rope.type ?? 'default';
  // Whole heads turn in these families: for plain rotation transformers does not look at the share, for scaled one it fails.
  const share = real(rope, 'partial_rotary_factor', real(config, 'partial_rotary_factor', 1));
  if (share !== 1 && type !== 'default') throw unsupported('rotation of whole heads in config.json', `partial_rotary_factor ${share}`, VARIANT);
  return {
    'rope.freq_base': real(rope, 'rope_theta', real(config, 'rope_theta', 10000)),
    'rope.dimension_count': headDim,
    ...scalingEntries(rope, type, originalContext(config, rope, context), context),
  };
}

const VARIANT = 'This variant of the architecture is not implemented; use another model.';

const originalContext = (config: Config, rope: Config, context: number): number =>
  real(config, 'original_max_position_embeddings', real(rope, 'original_max_position_embeddings', context));

function scalingEntries(rope: Config, type: unknown, original: number, context: number): Entries {
  if (type === 'default') return {};
  const common = { 'rope.scaling.type': String(type), 'rope.scaling.factor': real(rope, 'factor', type === 'yarn' ? context / original : undefined) };
  if (type === 'linear') return common;
  const from = { ...common, 'rope.scaling.original_context_length': original };
  if (type === 'llama3') {
    return { ...from, 'rope.scaling.low_freq_factor': real(rope, 'low_freq_factor'), 'rope.scaling.high_freq_factor': real(rope, 'high_freq_factor') };
  }
  if (type === 'yarn') return { ...from, ...yarnEntries(rope) };
  throw unsupported('rope scaling default, linear, llama3 or yarn in config.json', show(type), 'Use a model with one of these.');
}

function yarnEntries(rope: Config): Entries {
  const optional = (key: string) => (rope[key] === undefined || rope[key] === null ? undefined : real(rope, key));
  const positive = (key: string) => optional(key) || undefined; // zero counts as none, as there
  const { truncate = true } = rope;
  if (typeof truncate !== 'boolean') throw badFile('true or false as truncate in config.json', show(truncate));
  const factor = optional('attention_factor');
  const [mscale, all] = [positive('mscale'), positive('mscale_all_dim')];
  const shares = factor === undefined && mscale && all ? { 'rope.scaling.yarn_mscale': mscale, 'rope.scaling.yarn_mscale_all_dim': all } : {};
  return {
    'rope.scaling.attention_factor': factor,
    'rope.scaling.yarn_beta_fast': positive('beta_fast'),
    'rope.scaling.yarn_beta_slow': positive('beta_slow'),
    'rope.scaling.yarn_truncate': truncate ? undefined : false,
    ...shares,
  };
}
