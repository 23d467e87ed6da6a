import { aborted } from '../../files/refuse.js';
import { StonechatError } from '../../errors.js';
import type { Batch, Cursor } from '../data/batches.js';
import type { TrainEngine } from './engine.js';
import type { Evaluation } from './evaluation.js';
import { type OptimizerSettings, updateAt } from './optimizer.js';
import { mix } from '../data/random.js';

/** What a run has seen so far, by step. */
export interface LossHistory {
  /** Mean loss of each step's tokens, before its update. */
  readonly training: number[];
  readonly validation: ({ readonly step: number } & Evaluation)[];
  readonly samples: { readonly step: number; readonly text: string }[];
}
/** What a run has seen so far: see `LossHistory`.
 * @deprecated Renamed, because samplers have a `History` too. */
export type History = LossHistory;

/** All that a run needs to go on exactly, beside the engine's weights and moments. */
export interface LoopState {
  step: number;
  /** Tokens with a loss that were learnt from. */
  tokens: number;
  /** The stream's own, which moves with it. */
  readonly cursor: Cursor;
  readonly history: LossHistory;
  /** The weights with the lowest validation loss so far, as the engine lays them out. */
  best: { readonly step: number; readonly loss: number; readonly weights: Float32Array<ArrayBuffer> } | undefined;
}

export const newState = (cursor: Cursor): LoopState => ({ step: 0, tokens: 0, cursor, history: { training: [], validation: [], samples: [] }, best: undefined });

export interface LoopSettings {
  readonly optimizer: OptimizerSettings;
  /** Micro-batches whose gradients make one step. */
  readonly accumulation: number;
  /** Of dropout. */
  readonly seed: number;
  readonly evaluateEvery: number;
  /** 0: never. */
  readonly sampleEvery: number;
  readonly checkpointEvery: number;
}

/** One step of training. */
export interface StepEvent {
  readonly kind: 'step';
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Euclidean norm of the mean gradient, before clipping. */
  readonly norm: number;
  /** Learnt from in this step. */
  readonly tokens: number;
  /** That this step took. */
  readonly seconds: number;
}

/** What training tells, step by step. */
export type LoopEvent =
  | StepEvent
  | ({ readonly kind: 'evaluation'; readonly step: number; readonly best: boolean } & Evaluation)
  | { readonly kind: 'sample'; readonly step: number; readonly text: string }
  | { readonly kind: 'checkpoint'; readonly step: number };

/** What the loop is made of. Fine-tuning brings other batches and another evaluation. */
export interface LoopParts {
  readonly engine: Pick<TrainEngine, 'options' | 'clear' | 'norm' | 'update'> & { region(name: 'weights'): Float32Array<ArrayBuffer> };
  /** What steps make small: the engine's own loss, or another that is made of it. */
  readonly objective: Pick<TrainEngine, 'learn'>;
  readonly batches: { next(): Batch };
  /** Judges the weights as they are now; without it the last weights are the best. */
  readonly evaluate?: (() => Promise<Evaluation>) | undefined;
  readonly sample?: (() => string) | undefined;
  /** Keeps the state where a later run finds it. */
  readonly save?: ((state: LoopState) => Promise<void>) | undefined;
  readonly onEvent?: ((event: LoopEvent) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Lets timers and signals run. */
  readonly yield: () => Promise<void>;
}

/**
 * Takes steps until there are `optimizer.steps` of them. State is only ever saved between steps, when all that belongs to
 * one is done: a run that goes on from there has the same bits as one that was never interrupted.
 * @throws StonechatError `aborted` after saving, `diverged` before weights are touched.
 */
export async function runLoop(parts: LoopParts, settings: LoopSettings, state: LoopState): Promise<void> {
  const { steps } = settings.optimizer;
  if (state.step === 0 && state.history.validation.length === 0) await finishStep(parts, { ...settings, sampleEvery: 0 }, state);
  while (state.step < steps) {
    const started = performance.now();
    const found = takeStep(parts, settings, state);
    parts.onEvent?.({ kind: 'step', step: state.step, steps, ...found, seconds: (performance.now() - started) / 1000 });
    await finishStep(parts, settings, state);
  }
}

function takeStep({ engine, objective, batches }: LoopParts, { accumulation, optimizer, seed }: LoopSettings, state: LoopState) {
  const step = state.step + 1;
  const { sequences, length } = engine.options;
  engine.clear();
  let sum = 0;
  let tokens = 0;
  for (let i = 0; i < accumulation; i++) {
    const batch = batches.next();
    sum += objective.learn(batch, mix(seed, step, i));
    tokens += batch.count;
  }
  // The kernels divide by the rows of a micro-batch; what is wanted is the mean over all tokens with a loss.
  const scale = (sequences * length) / tokens;
  const loss = sum / tokens;
  const norm = engine.norm() * scale;
  if (!Number.isFinite(loss) || !Number.isFinite(norm)) throw diverged(step, loss, norm, optimizer);
  const update = updateAt(step, norm, scale, optimizer);
  engine.update(update);
  state.step = step;
  state.tokens += tokens;
  state.history.training.push(loss);
  return { loss, learningRate: update.learningRate, norm, tokens };
}

const diverged = (step: number, loss: number, norm: number, { learningRate, warmup }: OptimizerSettings): StonechatError =>
  new StonechatError({
    code: 'diverged',
    expected: 'a finite loss',
    found: `${Number.isFinite(loss) ? `a gradient of norm ${norm}` : `a loss of ${loss}`} in step ${step}`,
    remedy: `Begin anew with a lower learning rate (it was ${learningRate}) or a longer warm-up (${warmup} steps).`,
  });

async function finishStep(parts: LoopParts, settings: LoopSettings, state: LoopState): Promise<void> {
  const { step } = state;
  const last = step === settings.optimizer.steps;
  const due = (every: number) => every > 0 && (step % every === 0 || last);
  if (due(settings.evaluateEvery)) await evaluate(parts, state);
  if (due(settings.sampleEvery)) sample(parts, state);
  await parts.yield();
  const { signal } = parts;
  if (due(settings.checkpointEvery) || signal?.aborted) await save(parts, state);
  if (signal?.aborted) throw aborted(signal, 'the training');
}

async function evaluate({ evaluate, engine, onEvent }: LoopParts, state: LoopState): Promise<void> {
  if (!evaluate) return;
  const found = await evaluate();
  const { step, history } = state;
  const best = !state.best || found.loss < state.best.loss;
  history.validation.push({ step, ...found });
  if (best) state.best = { step, loss: found.loss, weights: copyInto(state.best?.weights, engine.region('weights')) };
  onEvent?.({ kind: 'evaluation', step, best, ...found });
}

function copyInto(into: Float32Array<ArrayBuffer> | undefined, values: Float32Array): Float32Array<ArrayBuffer> {
  const copy = into ?? new Float32Array(values.length);
  copy.set(values);
  return copy;
}

function sample({ sample, onEvent }: LoopParts, { step, history }: LoopState): void {
  if (!sample) return;
  const text = sample();
  history.samples.push({ step, text });
  onEvent?.({ kind: 'sample', step, text });
}

async function save({ save, onEvent }: LoopParts, state: LoopState): Promise<void> {
  if (!save) return;
  await save(state);
  onEvent?.({ kind: 'checkpoint', step: state.step });
}
