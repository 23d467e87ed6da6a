import { type GgufContent, tensorOf } from '../files/gguf-writer.js';
import { badFile } from '../files/refuse.js';
import type { MetadataValue, ModelFile } from '../files/types.js';
import type { TrainEngine } from './engine.js';
import type { LoopState } from './loop.js';

/** A checkpoint is a GGUF file too, of an architecture that no reader takes for a model. */
const ARCHITECTURE = 'stonechat-checkpoint';
/** Of what stands in the file, and of the order of weights in the engine's regions. */
const VERSION = 1;
const REGIONS = ['weights', 'first', 'second'] as const;
const KEY = 'stonechat.checkpoint.';

/** What a run was begun with, besides its weights: anything that goes through JSON. */
export interface RunFacts {
  readonly kind: string;
  readonly [name: string]: unknown;
}

const bytesOf = (values: Float32Array<ArrayBuffer>): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** `metadata`: the model's own (its tokenizer, its sizes), under the keys that its file will have; kept beside the state. */
export function checkpointContent(engine: TrainEngine, state: LoopState, facts: RunFacts, metadata: ReadonlyMap<string, MetadataValue | undefined>): GgufContent {
  const { step, tokens, cursor, history, best } = state;
  const tensors = REGIONS.map((name) => tensorOf(name, 'f32', [engine.layout.count], bytesOf(engine.region(name))));
  if (best) tensors.push(tensorOf('best', 'f32', [engine.layout.count], bytesOf(best.weights)));
  return {
    metadata: new Map<string, MetadataValue | undefined>([
      ...metadata,
      ['general.architecture', ARCHITECTURE],
      [`${KEY}version`, VERSION],
      [`${KEY}facts`, JSON.stringify(facts)],
      [`${KEY}state`, JSON.stringify({ step, tokens, cursor, history, best: best && { step: best.step, loss: best.loss } })],
    ]),
    tensors,
  };
}

/** A run that was interrupted. */
export interface Checkpoint {
  readonly file: ModelFile;
  readonly facts: RunFacts;
  readonly state: Omit<LoopState, 'best'> & { best: { step: number; loss: number } | undefined };
}

const REMEDY = 'Name the checkpoint that training wrote, or begin anew.';

/** @throws StonechatError `bad-file` for anything but a checkpoint of this version. */
export function readCheckpoint(file: ModelFile): Checkpoint {
  const { metadata } = file;
  const architecture = String(metadata.get('general.architecture'));
  if (architecture !== ARCHITECTURE) throw badFile(`a checkpoint in ${file.name}`, `a model of architecture ${architecture}`, REMEDY);
  const version = metadata.get(`${KEY}version`);
  if (version !== VERSION) throw badFile(`a checkpoint of version ${VERSION} in ${file.name}`, `version ${String(version)}`, 'Go on with the version of stonechat that wrote it, or begin anew.');
  return { file, facts: parse<RunFacts>(file, 'facts'), state: parse<Checkpoint['state']>(file, 'state') };
}

function parse<T>({ name, metadata }: ModelFile, key: string): T {
  try {
    return JSON.parse(String(metadata.get(KEY + key))) as T;
  } catch (cause) {
    throw badFile(`the ${key} of a run in ${name}`, 'no JSON', REMEDY, cause);
  }
}

/** Puts weights and moments back. Returns the state, whose cursor is to be given to the stream of batches. */
export async function restore({ file, state }: Checkpoint, engine: TrainEngine): Promise<LoopState> {
  for (const name of REGIONS) await readInto(file, name, engine.region(name));
  if (!state.best) return { ...state, best: undefined };
  const weights = new Float32Array(engine.layout.count);
  await readInto(file, 'best', weights);
  return { ...state, best: { ...state.best, weights } };
}

async function readInto(file: ModelFile, name: string, into: Float32Array<ArrayBuffer>): Promise<void> {
  const tensor = file.tensors.get(name);
  if (tensor?.bytes !== into.byteLength) throw badFile(`${into.length} values of ${name} in ${file.name}`, tensor ? String(tensor.bytes / 4) : 'none', REMEDY);
  await file.read(tensor, 0, bytesOf(into));
}

/** What differs between the facts of two runs, by dotted name: [name, then, now]. */
export function differences(then: unknown, now: unknown, name = ''): [string, unknown, unknown][] {
  if (!isObject(then) || !isObject(now)) return JSON.stringify(then) === JSON.stringify(now) ? [] : [[name, then, now]];
  const keys = new Set([...Object.keys(then), ...Object.keys(now)]);
  return [...keys].flatMap((key) => differences(then[key], now[key], name ? `${name}.${key}` : key));
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
