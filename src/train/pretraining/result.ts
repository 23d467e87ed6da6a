import { checkBytes } from '../../files/finite.js';
import { collect } from '../../files/chunks.js';
import { type GgufContent, tensorOf, writeGguf, type WrittenTensor } from '../../files/gguf-writer.js';
import type { MetadataValue, ModelFile } from '../../files/types.js';
import { metadataOf, type ModelConfig } from './config.js';
import type { TrainEngine } from '../loop/engine.js';
import type { Evaluation } from '../loop/evaluation.js';
import type { LossHistory, LoopState } from '../loop/loop.js';
import type { LearningSettings } from './settings.js';

/** ggml's number for files whose matrices are f32. */
const ALL_F32 = 0;

/** What training made. */
export interface TrainResult {
  readonly config: ModelConfig;
  readonly settings: LearningSettings;
  readonly parameters: number;
  /** Tokens that were learnt from. */
  readonly tokens: number;
  readonly history: LossHistory;
  /** The step whose weights these are. */
  readonly step: number;
  /** Over all of the validation text, where there is any. */
  readonly validation: Evaluation | undefined;
  /** What the tokenizer does and the file does not say; only with `force`. */
  readonly lost: readonly string[];
  /** For the GGUF writer and for whatever else takes a model apart. */
  readonly content: GgufContent;
  /** The model as a GGUF file. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
}

/** Sizes, tokenizer and how it came about, under the keys of llama.cpp. */
export function modelMetadata({ config, name, seed }: LearningSettings, tokenizer: ReadonlyMap<string, MetadataValue>): Map<string, MetadataValue> {
  return new Map<string, MetadataValue>([...metadataOf(config, name), ['general.type', 'model'], ['general.file_type', ALL_F32], ['stonechat.training.seed', seed], ...tokenizer]);
}

/** The weights as they are in the engine, copied. Those that do not learn are read from the model that training began with. */
export async function modelContent(engine: TrainEngine, initial: ModelFile, metadata: ReadonlyMap<string, MetadataValue>, state: LoopState, step: number): Promise<GgufContent> {
  const tensors: WrittenTensor[] = [];
  for (const info of initial.tensors.values()) {
    const learnt = engine.layout.offsets.has(info.name) ? engine.tensor(info.name) : undefined;
    const bytes = learnt ? new Uint8Array(learnt.buffer) : new Uint8Array(info.bytes);
    if (!learnt) await initial.read(info, 0, bytes);
    checkBytes(info.name, 'f32', bytes, 0);
    tensors.push(tensorOf(info.name, 'f32', info.shape, bytes));
  }
  return { metadata: new Map([...metadata, ['stonechat.training.steps', step], ['stonechat.training.tokens', state.tokens]]), tensors };
}

export const countParameters = ({ tensors }: GgufContent): number => tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

export const asBytes = (content: GgufContent): Promise<Uint8Array<ArrayBuffer>> => collect(writeGguf(content));
