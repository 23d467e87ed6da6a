import { collect } from '../../files/chunks.js';
import { writeGguf } from '../../files/gguf-writer.js';
import { StonechatError } from '../../errors.js';
import { type ModelInput, openModel } from '../../files/index.js';
import type { ModelFile } from '../../files/types.js';
import type { Build } from '../../host/host.js';
import { instantiateTrainKernels } from '../../kernels/instance.js';
import { batchesOf, BatchStream, pairCount } from '../data/batches.js';
import { initialModel } from './initial-weights.js';
import { type Checkpoint, checkCursor, checkpointContent, readCheckpoint, restore, checkWeights } from '../loop/checkpoint.js';
import { isTrained } from './config.js';
import type { Corpus } from '../data/corpus.js';
import { TrainEngine, type TrainHost, type TrainNeed } from '../loop/engine.js';
import { bytesById, evaluateBatches, type Evaluation } from '../loop/evaluation.js';
import { type Dataset, type DatasetOptions, prepareDataset, type ReadyDatasetOptions } from './dataset.js';
import { type LoopEvent, type LoopParts, type LoopState, newState, runLoop } from '../loop/loop.js';
import { asBytes, countParameters, modelContent, modelMetadata, type TrainResult } from './result.js';
import { createSampler } from './sampler.js';
import { type LearningSettings, loopSettings } from './settings.js';

export interface TrainOptions extends DatasetOptions {
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
export type ReadyOptions = TrainOptions & Pick<ReadyDatasetOptions, 'checkSettings'> & { readonly threads: number; readonly build: Build };

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
    if (checkpoint) await checkWeights(checkpoint);
    const dataset = await prepareDataset(from, corpus, options, checkpoint);
    const initial = await openInitialModel(from, dataset.settings, options.build);
    const engine = await openEngine(from, initial, dataset.settings, options);
    try {
      return await new Run(from, engine, initial, dataset, options).go(checkpoint);
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

async function openInitialModel({ host, compileTraining }: TrainHost, { config, seed }: LearningSettings, build: Build): Promise<ModelFile> {
  const { exports } = instantiateTrainKernels(await host.compile(build, false), await compileTraining(build, false), build);
  return initialModel(config, seed, exports);
}

function openEngine(from: TrainHost, initial: ModelFile, { config, microBatch: sequences, dropout, fusedMultiplyAdd }: LearningSettings, { build, threads, signal }: ReadyOptions): Promise<TrainEngine> {
  return TrainEngine.open(from, initial, { build, threads, signal, sequences, length: config.context, dropout, fusedMultiplyAdd: fusedMultiplyAdd ?? false, trained: isTrained(config) });
}

/** One call of `train`: what its steps share. */
class Run {
  private readonly bytes: Int32Array;

  constructor(
    private readonly from: TrainHost,
    private readonly engine: TrainEngine,
    private readonly initial: ModelFile,
    private readonly dataset: Dataset,
    private readonly options: ReadyOptions,
  ) {
    this.bytes = bytesById(dataset.vocabulary.tokenizer);
  }

  async go(checkpoint: Checkpoint | undefined): Promise<TrainResult> {
    const { engine, options, dataset } = this;
    const { settings, training } = dataset;
    if (checkpoint) checkCursor(checkpoint, training.ends.length);
    const state = checkpoint ? await restore(checkpoint, engine) : newState({ epoch: 0, document: 0, pair: 0 });
    const batches = new BatchStream(training, engine.options, settings.seed, state.cursor);
    this.announce(state.step);
    try {
      await runLoop(this.parts(batches), loopSettings(settings, options.checkpointEvery ?? settings.evaluateEvery), state);
    } catch (error) {
      throw error instanceof StonechatError && error.code === 'diverged' ? await this.rescue(state, error) : error;
    }
    return this.finish(state, dataset.settings.keepWeights === 'best' ? state.best : undefined);
  }

  private announce(resumed: number): void {
    const { engine, dataset, options } = this;
    options.onEvent?.({
      kind: 'start',
      settings: dataset.settings,
      parameters: [...this.initial.tensors.values()].reduce((sum, { bytes }) => sum + bytes / 4, 0),
      trainingTokens: pairCount(dataset.training),
      validationTokens: dataset.validation ? pairCount(dataset.validation) : 0,
      memory: { ...engine.need, copies: 2 * engine.layout.count * 4 },
      threads: engine.threads,
      build: options.build,
      resumed,
    });
  }

  private parts(batches: BatchStream): LoopParts {
    const { engine, options, dataset, from } = this;
    const { settings, vocabulary, validation } = dataset;
    const { samplePrompt: prompt, sampleTokens: tokens, seed, evaluationTokens } = settings;
    const rows = settings.microBatch * settings.config.context;
    return {
      engine,
      objective: engine,
      batches,
      evaluate: validation && (() => this.evaluate(Math.ceil(evaluationTokens / rows))),
      sample: settings.sampleEvery > 0 ? createSampler(engine, vocabulary.tokenizer, { prompt, tokens, seed }) : undefined,
      save: options.checkpoint === undefined ? undefined : (state) => this.save(state),
      onEvent: options.onEvent,
      signal: options.signal,
      yield: () => from.host.yield(),
    };
  }

  private evaluate(mostBatches?: number): Promise<Evaluation> {
    const { engine, dataset, from } = this;
    return evaluateBatches(engine, batchesOf(dataset.validation!, engine.options, mostBatches), this.bytes, () => from.host.yield());
  }

  private get metadata() {
    return modelMetadata(this.dataset.settings, this.dataset.vocabulary.metadata);
  }

  private async save(state: LoopState): Promise<void> {
    const { checkpoint } = this.options;
    const chunks = writeGguf(checkpointContent(this.engine, state, this.dataset.facts, this.metadata));
    if (typeof checkpoint === 'string') await this.from.host.save(checkpoint, chunks);
    else await checkpoint?.(await collect(chunks), state.step);
  }

  private async finish(state: LoopState, best: LoopState['best']): Promise<TrainResult> {
    const { engine, dataset, options } = this;
    const { settings } = dataset;
    if (best) engine.region('weights').set(best.weights);
    const step = best?.step ?? state.step;
    const validation = dataset.validation && (await this.evaluate());
    const content = await modelContent(engine, this.initial, this.metadata, state, step);
    if (options.output !== undefined) await this.from.host.save(options.output, writeGguf(content));
    const { tokens, history } = state;
    return { config: settings.config, settings, parameters: countParameters(content), tokens, history, step, validation, lost: this.dataset.vocabulary.lost, content, bytes: () => asBytes(content) };
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
