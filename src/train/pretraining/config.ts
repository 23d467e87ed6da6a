import { StonechatError } from '../../errors.js';
import type { MetadataValue } from '../../files/types.js';
import { gpt2Trained } from '../../models/gpt2.js';
import { llamaTrained } from '../../models/llama.js';
import { nplmTrained } from '../../models/nplm.js';
import type { ModelConfig, TrainedForm, WeightShape } from '../../models/trained.js';

export type { Initializer, ModelConfig, WeightShape } from '../../models/trained.js';

const TRAINED: Readonly<Record<ModelConfig['architecture'], TrainedForm>> = { llama: llamaTrained, gpt2: gpt2Trained, nplm: nplmTrained };
export const TRAINED_ARCHITECTURES = Object.keys(TRAINED) as readonly ModelConfig['architecture'][];

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
  const keys = { ...TRAINED[architecture].keys(config), vocab_size: config.vocabulary };
  const own = Object.entries(keys).flatMap(([key, value]): [string, MetadataValue][] => (value === undefined ? [] : [[`${architecture}.${key}`, value]]));
  return new Map<string, MetadataValue>([['general.architecture', architecture], ['general.name', name], ...own]);
}

/** The weights by GGUF name, in file order, and how they begin. */
export const weightsOf = (config: ModelConfig): WeightShape[] => TRAINED[config.architecture].weights(config);

/** Fixed tables do not learn. */
export const isTrained = (config: ModelConfig) => (name: string): boolean => name !== 'position_embd.weight' || config.positions === 'learned';

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
