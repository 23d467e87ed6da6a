import { type GgufContent, tensorOf, writeHead } from '../../files/gguf-writer.js';
import { badFile, badOption } from '../../files/refuse.js';
import type { MetadataValue, ModelFile } from '../../files/types.js';
import { Json } from '../../text/json.js';
import { checksum } from './checksum.js';
import type { TrainEngine } from './engine.js';
import type { LoopState } from './loop.js';

/** A checkpoint is a GGUF file too, of an architecture that no reader takes for a model. */
const ARCHITECTURE = 'stonechat-checkpoint';
/** Of what stands in the file, and of the order of weights in the engine's regions. Files of version 1 lack checksums. */
const VERSION = 2;
const WITHOUT_SUMS = 1;
const REGIONS = ['weights', 'first', 'second'] as const;
const KEY = 'stonechat.checkpoint.';
/** Of the tensors, by name; and of the metadata, these among them. */
const SUM = `${KEY}checksum.`;
const OF_METADATA = `${SUM}metadata`;

/** What a run was begun with, besides its weights: anything that goes through JSON. */
export interface RunFacts {
  readonly kind: string;
  readonly [name: string]: unknown;
}

const bytesOf = (values: Float32Array<ArrayBuffer>): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** `metadata`: the model's own (its tokenizer, its sizes), under the keys that its file will have; kept beside the state. */
export function checkpointContent(engine: TrainEngine, state: LoopState, facts: RunFacts, metadata: ReadonlyMap<string, MetadataValue | undefined>): GgufContent {
  const { step, tokens, cursor, history, best } = state;
  const regions = [...REGIONS.map((name) => [name, bytesOf(engine.region(name))] as const), ...(best ? [['best', bytesOf(best.weights)] as const] : [])];
  const own = new Map<string, MetadataValue | undefined>([
    ...metadata,
    ['general.architecture', ARCHITECTURE],
    [`${KEY}version`, VERSION],
    [`${KEY}facts`, JSON.stringify(facts)],
    [`${KEY}state`, JSON.stringify({ step, tokens, cursor, history, best: best && { step: best.step, loss: best.loss } })],
    ...regions.map(([name, bytes]): [string, string] => [SUM + name, checksum(bytes)]),
  ]);
  own.set(OF_METADATA, checksum(writeHead({ metadata: own, tensors: [] })));
  return { metadata: own, tensors: regions.map(([name, bytes]) => tensorOf(name, 'f32', [engine.layout.count], bytes)) };
}

/** A run that was interrupted. */
export interface Checkpoint {
  readonly file: ModelFile;
  readonly facts: RunFacts;
  readonly state: Omit<LoopState, 'best'> & { best: { step: number; loss: number } | undefined };
}

/** Settings that had other names in 0.1. */
const FORMER: Readonly<Partial<Record<string, string>>> = { clip: 'maxGradNorm', keep: 'keepWeights', long: 'longExamples' };

const REMEDY = 'Name the checkpoint that training wrote, or begin anew.';

/** @throws StonechatError `bad-file` for anything but a whole checkpoint of this version. */
export function readCheckpoint(file: ModelFile): Checkpoint {
  const { metadata } = file;
  const architecture = String(metadata.get('general.architecture'));
  if (architecture !== ARCHITECTURE) throw badFile(`a checkpoint in ${file.name}`, `a model of architecture ${architecture}`, REMEDY);
  const version = metadata.get(`${KEY}version`);
  if (version !== VERSION && version !== WITHOUT_SUMS) throw badFile(`a checkpoint of version ${VERSION} in ${file.name}`, `version ${String(version)}`, 'Go on with the version of stonechat that wrote it, or begin anew.');
  if (version !== WITHOUT_SUMS || metadata.has(OF_METADATA)) checkMetadata(file);
  const facts = parse<RunFacts>(file, 'facts');
  if (!isObject(facts) || !isObject(facts['settings'])) throw badFile(`the settings of a run in ${file.name}`, 'none', REMEDY);
  const settings = Object.fromEntries(Object.entries(facts['settings']).map(([name, value]) => [FORMER[name] ?? name, value]));
  return { file, facts: { ...facts, settings }, state: readState(Json.parse(String(metadata.get(`${KEY}state`)), `the state of a run in ${file.name}`)) };
}

const damaged = (what: string, { name }: ModelFile) => badFile(`${what} of the checkpoint ${name} as they were written`, 'others: their checksum differs', `The file is damaged. ${REMEDY}`);

function checkMetadata(file: ModelFile): void {
  const metadata = new Map(file.metadata);
  metadata.delete(OF_METADATA);
  const types = file.metadataTypes ?? new Map();
  if (checksum(writeHead({ metadata, types, tensors: [] })) !== file.metadata.get(OF_METADATA)) throw damaged('metadata', file);
}

/** What the state of a run may be: whatever else is refused as a file's fault. */
function readState(json: Json): Checkpoint['state'] {
  const most = Number.MAX_SAFE_INTEGER;
  const [cursor, history, best] = [json.get('cursor'), json.get('history'), json.get('best')];
  const losses = history.get('training').rawList();
  if (!losses.every(isNumber)) throw history.get('training').wrong('numbers');
  const step = json.get('step').id(most);
  if (losses.length !== step) throw history.get('training').wrong(`${step} losses`);
  return {
    step, tokens: json.get('tokens').id(most),
    cursor: { epoch: cursor.get('epoch').id(most), document: cursor.get('document').id(most), pair: cursor.get('pair').id(most) },
    history: {
      training: [...losses],
      validation: history.get('validation').list().map(readEvaluation),
      samples: history.get('samples').list().map((sample) => ({ step: sample.get('step').id(most), text: sample.get('text').text() })),
    },
    best: best.exists ? { step: best.get('step').id(step), loss: best.get('loss').number() } : undefined,
  };
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
type Evaluated = Checkpoint['state']['history']['validation'][number];

/** JSON has no infinities: a perplexity may be null. */
function readEvaluation(json: Json): Evaluated {
  const entries = json.rawEntries();
  for (const [key, value] of entries) if (!isNumber(value) && value !== null) throw json.get(key).wrong('a number');
  return { ...(Object.fromEntries(entries) as unknown as Evaluated), step: json.get('step').id(Number.MAX_SAFE_INTEGER) };
}

function parse<T>({ name, metadata }: ModelFile, key: string): T {
  try {
    return JSON.parse(String(metadata.get(KEY + key))) as T;
  } catch (cause) {
    throw badFile(`the ${key} of a run in ${name}`, 'no JSON', REMEDY, cause);
  }
}

/** Whether all values are those that were written: asked before long work begins. @throws StonechatError `bad-file`. */
export async function checkWeights({ file }: Checkpoint): Promise<void> {
  for (const [name, tensor] of file.tensors) {
    const sum = file.metadata.get(SUM + name);
    if (sum === undefined) continue;
    const bytes = new Uint8Array(tensor.bytes);
    await file.read(tensor, 0, bytes);
    if (sum !== checksum(bytes)) throw damaged(`the ${name}`, file);
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
  const sum = file.metadata.get(SUM + name);
  if (sum !== undefined && sum !== checksum(bytesOf(into))) throw damaged(`the ${name}`, file);
}

/** Whether the stream of batches can stand where the run has come: `documents` of them, or examples, or pairs. @throws StonechatError `bad-file`. */
export function checkCursor({ file, state: { cursor } }: Checkpoint, documents: number): void {
  if (cursor.document < documents) return;
  throw badFile(`a place among ${documents} documents in ${file.name}`, `document ${cursor.document}`, REMEDY);
}

/** What differs between the facts of two runs, by dotted name: [name, then, now]. */
export function differences(then: unknown, now: unknown, name = ''): [string, unknown, unknown][] {
  if (!isObject(then) || !isObject(now)) return JSON.stringify(then) === JSON.stringify(now) ? [] : [[name, then, now]];
  const keys = new Set([...Object.keys(then), ...Object.keys(now)]);
  return [...keys].flatMap((key) => differences(then[key], now[key], name ? `${name}.${key}` : key));
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * @throws StonechatError `bad-option` for a run that goes on with other settings or data than it was begun with. `words`: facts whose
 *   values say nothing to a reader, what they are, and what is said of others.
 */
export function checkSame({ facts, file }: Checkpoint, now: RunFacts, words: Readonly<Record<string, readonly [what: string, other: string]>>): void {
  const [first] = differences(facts, now);
  if (!first) return;
  const [name, then, later] = first;
  const [what, other] = words[name] ?? [`${name.replace(/^settings\./, '')} ${JSON.stringify(then)}`, JSON.stringify(later)];
  throw badOption(`the ${what} of the run that ${file.name} belongs to`, other, 'Give what that run was begun with, or begin anew.');
}
