import { Fingerprint } from '../data/fingerprint.js';
import { StonechatError } from '../../errors.js';
import { collect } from '../../files/chunks.js';
import type { Fallback } from '../convert/quantize.js';
import { type GgufContent, writeGguf } from '../../files/gguf-writer.js';
import { type ModelInput, openModel } from '../../files/index.js';
import type { ModelFile } from '../../files/types.js';
import { tokenizerFromModel } from '../../text/index.js';
import type { Tokenizer } from '../../text/types.js';
import { type Checkpoint, checkCursor, checkpointContent, checkSame, readCheckpoint, restore, type RunFacts, checkWeights } from '../loop/checkpoint.js';
import { readRows } from '../convert/computed.js';
import { TrainEngine, type TrainHost, type TrainNeed } from '../loop/engine.js';
import { bytesById, evaluateBatches, type Evaluation } from '../loop/evaluation.js';
import { PackedStream, packedBatchesOf } from '../data/packing.js';
import type { TokenizedExample } from '../data/tokenized.js';
import { type LossHistory, type LoopEvent, type LoopParts, type LoopState, newState, runLoop } from '../loop/loop.js';
import { type ExamplePair, logProbabilities, PairStream, type PreferenceEvaluation, PreferenceLearner } from './preference.js';
import type { ReadyOptions as TrainingOptions } from '../pretraining/train.js';
import { loopSettings } from '../pretraining/settings.js';
import { modelToTune, tunedContent, tuningMetadata } from './tuned.js';
import type { TuningOptions, TuningSettings } from './settings.js';
import { fingerprintOf, prepareTuningDataset, type TuningExamples, type TuningDataset } from './dataset.js';
import { textKernels } from '../tokenizer/vocabulary.js';

/** What has no part in the result. */
type Running = Pick<TrainingOptions, 'threads' | 'build' | 'output' | 'checkpoint' | 'checkpointEvery' | 'resume' | 'signal'>;

export interface FinetuneOptions extends TuningOptions, Partial<Running> {
  /** Examples to validate with, in place of a share of the others. */
  readonly validation?: TuningExamples | undefined;
  readonly onEvent?: ((event: TuningEvent) => void) | undefined;
}

export type ReadyOptions = FinetuneOptions & Pick<Running, 'threads' | 'build'>;

/** Before the first step. */
export interface TuningStart {
  readonly kind: 'start';
  readonly settings: TuningSettings;
  /** Weights that learn. */
  readonly parameters: number;
  /** Examples (long texts: parts of them) to learn from and to validate with; left out as too long; cut. */
  readonly examples: number;
  readonly validationExamples: number;
  readonly skipped: number;
  readonly cut: number;
  /** Tokens with a loss. */
  readonly trainingTokens: number;
  readonly memory: TrainNeed;
  readonly threads: number;
  readonly build: string;
  readonly resumed: number;
  /** What one should know of the examples, such as special tokens that are spelt in texts. */
  readonly warnings: readonly string[];
}

/** What `finetune` tells. */
export type TuningEvent = LoopEvent | TuningStart;

/** What `finetune` made. */
export interface TuningResult {
  readonly settings: TuningSettings;
  readonly parameters: number;
  readonly history: LossHistory;
  /** The step whose weights these are. */
  readonly step: number;
  /** On the examples kept back: by the model as it was, and as it is now. With `dpo` also accuracy and margin. */
  readonly before: (Evaluation & Partial<PreferenceEvaluation>) | undefined;
  readonly after: (Evaluation & Partial<PreferenceEvaluation>) | undefined;
  /** Examples longer than `longest` tokens that were left out, or cut. */
  readonly skipped: number;
  readonly cut: number;
  readonly longest: number;
  /** With `type`: tensors whose rows do not divide into its blocks, with the type that they got. */
  readonly fallbacks: readonly Fallback[];
  readonly content: GgufContent;
  /** The tuned model, or with `lora` the adapter, as a GGUF file. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Teaches a model by examples. Model, examples, options and seed decide every bit; threads, build (but for `fusedMultiplyAdd`) and interruptions none.
 * @throws StonechatError `bad-option`, `out-of-memory` before anything is learnt; `diverged`, `aborted` after a checkpoint.
 */
export async function finetune(from: TrainHost, model: ModelInput, examples: TuningExamples, options: ReadyOptions): Promise<TuningResult> {
  const open = (source: ModelInput) => openModel(source, { open: from.host.open, list: from.host.list });
  const base = await open(model);
  const checkpoint = options.resume === undefined ? undefined : await open(options.resume).then(readCheckpoint);
  try {
    if (checkpoint) await checkWeights(checkpoint);
    const tokenizer = await tokenizerFromModel(base, await textKernels(from));
    const dataset = await prepareTuningDataset(base, tokenizer, examples, options.validation, options);
    const { settings } = dataset;
    const { file, trained } = modelToTune(base, settings, options);
    const { build, threads, signal } = options;
    const { context: length, dropout, fusedMultiplyAdd = false } = settings;
    const sequences = settings.beta === undefined ? settings.microBatch : 2 * settings.microBatch;
    const weighted = settings.beta !== undefined;
    const engine = await TrainEngine.open(from, file, { build, threads, signal, sequences, length, dropout, fusedMultiplyAdd, trained, weighted });
    try {
      return await new Run(from, base, tokenizer, dataset, engine, options).go(checkpoint);
    } finally {
      engine.dispose();
    }
  } finally {
    await Promise.all([base.close(), checkpoint?.file.close()]);
  }
}

/** What is made small, by which batches, and how it is evaluated: answers, or preferences. */
type Objective = Pick<LoopParts, 'objective' | 'batches' | 'evaluate'>;

/** One call of `finetune`: what its steps share. */
class Run {
  private readonly bytes: Int32Array;

  constructor(
    private readonly from: TrainHost,
    private readonly base: ModelFile,
    tokenizer: Tokenizer,
    private readonly dataset: TuningDataset,
    private readonly engine: TrainEngine,
    private readonly options: ReadyOptions,
  ) {
    this.bytes = bytesById(tokenizer);
  }

  async go(checkpoint: Checkpoint | undefined): Promise<TuningResult> {
    const { engine, options, dataset } = this;
    const { settings } = dataset;
    const facts = await this.facts();
    if (checkpoint) checkSame(checkpoint, facts, WORDS);
    if (checkpoint) checkCursor(checkpoint, dataset.training.length);
    const cursor = checkpoint?.state.cursor ?? { epoch: 0, document: 0, pair: 0 };
    const objective = settings.beta === undefined ? this.answers(cursor) : await this.preferences(cursor, settings.beta);
    const state = checkpoint ? { ...(await restore(checkpoint, engine)), cursor } : newState(cursor);
    this.announce(state.step);
    const { onEvent, signal } = options;
    const save = options.checkpoint === undefined ? undefined : (now: LoopState) => this.save(now, facts);
    const parts: LoopParts = { engine, ...objective, save, onEvent, signal, yield: this.pause };
    try {
      await runLoop(parts, loopSettings(settings, options.checkpointEvery ?? settings.evaluateEvery), state);
    } catch (error) {
      throw error instanceof StonechatError && error.code === 'diverged' ? await this.rescue(state, objective, error) : error;
    }
    return this.finish(state, objective);
  }

  private readonly pause = () => this.from.host.yield();

  private answers(cursor: LoopState['cursor']): Objective {
    const { engine, dataset, bytes } = this;
    const [training, validation] = [dataset.training, dataset.validation] as [TokenizedExample[], TokenizedExample[]];
    const evaluate = () => evaluateBatches(engine, packedBatchesOf(validation, engine.options), bytes, this.pause);
    return { objective: engine, batches: new PackedStream(training, engine.options, dataset.settings.seed, cursor), evaluate: validation.length > 0 ? evaluate : undefined };
  }

  /** Asks the model for its log-probabilities before it learns: they stay the reference, also of a run that is gone on with. */
  private async preferences(cursor: LoopState['cursor'], beta: number): Promise<Objective> {
    const { engine, dataset, bytes } = this;
    const [training, validation] = [dataset.training, dataset.validation] as [ExamplePair[], ExamplePair[]];
    const reference = await logProbabilities(engine, training, this.pause);
    const kept = await logProbabilities(engine, validation, this.pause);
    const learner = new PreferenceLearner(engine, reference, beta, engine.kernels.exports);
    const evaluate = () => learner.evaluate(validation, kept, bytes, this.pause);
    return { objective: learner, batches: new PairStream(training, engine.options, dataset.settings.seed, cursor), evaluate: validation.length > 0 ? evaluate : undefined };
  }

  private announce(resumed: number): void {
    const { engine, dataset, options } = this;
    const { settings, training, validation, skipped, cut } = dataset;
    const learnt = (item: TokenizedExample | ExamplePair): number => ('chosen' in item ? learnt(item.chosen) + learnt(item.rejected) : item.lossMask.reduce((a, b) => a + b, 0));
    options.onEvent?.({
      kind: 'start', settings, skipped, cut, resumed, parameters: this.parameters, examples: training.length, validationExamples: validation.length,
      trainingTokens: training.reduce((sum, item) => sum + learnt(item), 0), memory: engine.need, threads: engine.threads, build: options.build, warnings: dataset.warnings,
    });
  }

  private get parameters(): number {
    return [...this.engine.layout.offsets.values()].reduce((sum, { rows, columns }) => sum + rows * columns, 0);
  }

  private async facts(): Promise<RunFacts> {
    const { settings, training, validation, template } = this.dataset;
    return { kind: 'fine-tuning', settings: { ...settings }, base: await fingerprintOfModel(this.base), template: template ?? null, examples: fingerprintOf(training), validation: fingerprintOf(validation) };
  }

  private async save(state: LoopState, facts: RunFacts): Promise<void> {
    const { checkpoint } = this.options;
    const chunks = writeGguf(checkpointContent(this.engine, state, facts, new Map()));
    if (typeof checkpoint === 'string') await this.from.host.save(checkpoint, chunks);
    else await checkpoint?.(await collect(chunks), state.step);
  }

  private async finish(state: LoopState, { evaluate }: Objective): Promise<TuningResult> {
    const { engine, dataset, options } = this;
    const { settings, skipped, cut, longest, template } = dataset;
    const best = settings.keepWeights === 'best' ? state.best : undefined;
    if (best) engine.region('weights').set(best.weights);
    const step = best?.step ?? state.step;
    const after = evaluationAt(state, step) ?? (await evaluate?.());
    const content = await tunedContent(this.base, engine, settings, options, tuningMetadata(template, settings, step));
    if (options.output !== undefined) await this.from.host.save(options.output, writeGguf(content));
    const { history } = state;
    const { fallbacks } = content;
    return { settings, parameters: this.parameters, history, step, before: history.validation[0], after, skipped, cut, longest, fallbacks, content, bytes: () => collect(writeGguf(content)) };
  }

  /** Nothing is lost where it diverges: the best weights so far are written. */
  private async rescue(state: LoopState, objective: Objective, error: StonechatError): Promise<StonechatError> {
    const { output } = this.options;
    if (!state.best || output === undefined) return error;
    await this.finish(state, objective);
    const { code, expected, found, remedy } = error;
    return new StonechatError({ code, expected, found, remedy: `${remedy} The best weights so far, of step ${state.best.step}, are in ${output}.`, cause: error });
  }
}

/** What was found of the weights of a step. */
function evaluationAt({ history }: LoopState, at: number): (Evaluation & Partial<PreferenceEvaluation>) | undefined {
  const { step: _, ...found } = history.validation.find(({ step }) => step === at) ?? { step: at };
  return 'loss' in found ? found : undefined;
}

/** Facts that are told by a word, not by their value. */
const WORDS = { base: ['model', 'another one'], examples: ['examples', 'other ones'], validation: ['validation examples', 'other ones'], template: ['chat template', 'another one'] } as const;

/** Of names, shapes, types and the first row of every tensor. */
async function fingerprintOfModel(file: ModelFile): Promise<number> {
  const print = new Fingerprint();
  for (const tensor of file.tensors.values()) {
    for (const character of `${tensor.name} ${tensor.type} ${tensor.shape.join(' ')}`) print.take(character.charCodeAt(0));
    const row = await readRows(file, tensor, 0, 1);
    for (const word of new Uint32Array(row.buffer, row.byteOffset, row.length)) print.take(word);
  }
  return print.value;
}
