import { collect } from '../../files/chunks.js';
import { writeGguf } from '../../files/gguf-writer.js';
import { StonechatError } from '../../errors.js';
import { type ModelInput, openModel } from '../../files/index.js';
import type { ModelFile } from '../../files/types.js';
import type { Build } from '../../host/host.js';
import { instantiateTrainKernels } from '../../kernels/instance.js';
import { batchesOf, BatchStream, pairCount } from '../data/batches.js';
import { beginningOf } from './initial-weights.js';
import { type Checkpoint, checkCursor, checkpointContent, readCheckpoint, restore } from '../loop/checkpoint.js';
import { isTrained } from './config.js';
import type { Corpus } from '../data/corpus.js';
import { TrainEngine, type TrainHost, type TrainNeed } from '../loop/engine.js';
import { bytesById, evaluateBatches, type Evaluation } from '../loop/evaluation.js';
import { type Lessons, type LessonOptions, prepareLessons, type ReadyLessonOptions } from './dataset.js';
import { type LoopEvent, type LoopParts, type LoopState, newState, runLoop } from '../loop/loop.js';
import { asBytes, countParameters, modelContent, modelMetadata, type TrainResult } from './result.js';
import { createSampler } from './sampler.js';
import { type LearningSettings, loopSettings } from './settings.js';

export interface TrainOptions extends LessonOptions {
  /** Threads and build change how fast it goes, never a bit of the result (build does with `fusedMultiplyAdd`). */
  readonly threads?: number | undefined;
  readonly build?: Build | undefined;
  /** A path where the model is written at the end; or, should training diverge, its best weights so far. */
  readonly output?: string | undefined;
  /** A path where the state is kept, written aside and renamed; or a function that keeps the bytes. */
  readonly checkpoint?: string | ((bytes: Uint8Array<ArrayBuffer>, step: number) => void | Promise<void>) | undefined;
  /** Steps between checkpoints. Default: as often as it is evaluated. */
  readonly checkpointEvery?: number | undefined;
  /** A checkpoint to go on from: to the same bits as a run that was never interrupted. */
  readonly resume?: ModelInput | undefined;
  /** Stops between two steps, after a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: TrainEvent) => void) | undefined;
}

/** As entries pass them on. */
export type ReadyOptions = TrainOptions & Pick<ReadyLessonOptions, 'checkSettings'> & { readonly threads: number; readonly build: Build };

/** Before the first step: what will be trained, and on what. */
export interface StartEvent {
  readonly kind: 'start';
  readonly settings: LearningSettings;
  readonly parameters: number;
  /** Predictions in the corpus and in the validation text. */
  readonly trainingTokens: number;
  readonly validationTokens: number;
  /** Linear memory, and what lies outside of it: the best weights, and the model as it is written. */
  readonly memory: TrainNeed & { readonly copies: number };
  readonly threads: number;
  readonly build: Build;
  /** Steps done already, by an earlier run. */
  readonly resumed: number;
}

/** What `train` tells. */
export type TrainEvent = LoopEvent | StartEvent;

/**
 * Trains a model from nothing. Corpus, options and seed decide every bit of it; threads, build (but for `fusedMultiplyAdd`) and interruptions none.
 * @throws StonechatError `bad-option`, `out-of-memory` before anything is learnt; `diverged`, `aborted` after a checkpoint.
 */
export async function train(from: TrainHost, corpus: Corpus, options: ReadyOptions): Promise<TrainResult> {
  const checkpoint = options.resume === undefined ? undefined : await openCheckpoint(from, options.resume);
  try {
    const lessons = await prepareLessons(from, corpus, options, checkpoint);
    const beginning = await beginningFor(from, lessons.settings, options.build);
    const engine = await openEngine(from, beginning, lessons.settings, options);
    try {
      return await new Run(from, engine, beginning, lessons, options).go(checkpoint);
    } finally {
      engine.dispose();
    }
  } finally {
    await checkpoint?.file.close();
  }
}

async function openCheckpoint({ host }: TrainHost, source: ModelInput): Promise<Checkpoint> {
  return readCheckpoint(await openModel(source, { open: host.open, list: host.list }));
}

async function beginningFor({ host, compileTraining }: TrainHost, { config, seed }: LearningSettings, build: Build): Promise<ModelFile> {
  const { exports } = instantiateTrainKernels(await host.compile(build, false), await compileTraining(build, false), build);
  return beginningOf(config, seed, exports);
}

function openEngine(from: TrainHost, beginning: ModelFile, { config, microBatch: sequences, dropout, fusedMultiplyAdd }: LearningSettings, { build, threads, signal }: ReadyOptions): Promise<TrainEngine> {
  return TrainEngine.open(from, beginning, { build, threads, signal, sequences, length: config.context, dropout, fusedMultiplyAdd: fusedMultiplyAdd ?? false, trained: isTrained(config) });
}

/** One call of `train`: what its steps share. */
class Run {
  private readonly bytes: Int32Array;

  constructor(
    private readonly from: TrainHost,
    private readonly engine: TrainEngine,
    private readonly beginning: ModelFile,
    private readonly lessons: Lessons,
    private readonly options: ReadyOptions,
  ) {
    this.bytes = bytesById(lessons.vocabulary.tokenizer);
  }

  async go(checkpoint: Checkpoint | undefined): Promise<TrainResult> {
    const { engine, options, lessons } = this;
    const { settings, training } = lessons;
    if (checkpoint) checkCursor(checkpoint, training.ends.length);
    const state = checkpoint ? await restore(checkpoint, engine) : newState({ epoch: 0, document: 0, pair: 0 });
    const batches = new BatchStream(training, engine.options, settings.seed, state.cursor);
    this.announce(state.step);
    try {
      await runLoop(this.parts(batches), loopSettings(settings, options.checkpointEvery ?? settings.evaluateEvery), state);
    } catch (error) {
      throw error instanceof StonechatError && error.code === 'diverged' ? await this.rescue(state, error) : error;
    }
    return this.finish(state, lessons.settings.keep === 'best' ? state.best : undefined);
  }

  private announce(resumed: number): void {
    const { engine, lessons, options } = this;
    options.onEvent?.({
      kind: 'start',
      settings: lessons.settings,
      parameters: [...this.beginning.tensors.values()].reduce((sum, { bytes }) => sum + bytes / 4, 0),
      trainingTokens: pairCount(lessons.training),
      validationTokens: lessons.validation ? pairCount(lessons.validation) : 0,
      memory: { ...engine.need, copies: 2 * engine.layout.count * 4 },
      threads: engine.threads,
      build: options.build,
      resumed,
    });
  }

  private parts(batches: BatchStream): LoopParts {
    const { engine, options, lessons, from } = this;
    const { settings, vocabulary, validation } = lessons;
    const { samplePrompt: prompt, sampleTokens: tokens, seed, evaluationTokens } = settings;
    const rows = settings.microBatch * settings.config.context;
    return {
      engine,
      batches,
      evaluate: validation && (() => this.judge(Math.ceil(evaluationTokens / rows))),
      sample: settings.sampleEvery > 0 ? createSampler(engine, vocabulary.tokenizer, { prompt, tokens, seed }) : undefined,
      save: options.checkpoint === undefined ? undefined : (state) => this.save(state),
      onEvent: options.onEvent,
      signal: options.signal,
      yield: () => from.host.yield(),
    };
  }

  private judge(mostBatches?: number): Promise<Evaluation> {
    const { engine, lessons, from } = this;
    return evaluateBatches(engine, batchesOf(lessons.validation!, engine.options, mostBatches), this.bytes, () => from.host.yield());
  }

  private get metadata() {
    return modelMetadata(this.lessons.settings, this.lessons.vocabulary.metadata);
  }

  private async save(state: LoopState): Promise<void> {
    const { checkpoint } = this.options;
    const chunks = writeGguf(checkpointContent(this.engine, state, this.lessons.facts, this.metadata));
    if (typeof checkpoint === 'string') await this.from.host.save(checkpoint, chunks);
    else await checkpoint?.(await collect(chunks), state.step);
  }

  private async finish(state: LoopState, best: LoopState['best']): Promise<TrainResult> {
    const { engine, lessons, options } = this;
    const { settings } = lessons;
    if (best) engine.region('weights').set(best.weights);
    const step = best?.step ?? state.step;
    const validation = lessons.validation && (await this.judge());
    const content = await modelContent(engine, this.beginning, this.metadata, state, step);
    if (options.output !== undefined) await this.from.host.save(options.output, writeGguf(content));
    const { tokens, history } = state;
    return { config: settings.config, settings, parameters: countParameters(content), tokens, history, step, validation, content, bytes: () => asBytes(content) };
  }

  /** Nothing is lost where training diverges: the best weights so far are written. */
  private async rescue(state: LoopState, error: StonechatError): Promise<StonechatError> {
    const { output } = this.options;
    if (!state.best || output === undefined) return error;
    await this.finish(state, state.best);
    const { code, expected, found, remedy } = error;
    return new StonechatError({ code, expected, found, remedy: `${remedy} The best weights so far, of step ${state.best.step}, are in ${output}.`, cause: error });
  }
}
