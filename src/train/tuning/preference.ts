import { type Batch, type Cursor, Filling } from '../data/batches.js';
import type { SameMath } from '../loop/math.js';
import type { TrainEngine } from '../loop/engine.js';
import type { Evaluation } from '../loop/evaluation.js';
import type { BatchShape } from '../data/packing.js';
import type { TokenizedExample } from '../data/tokenized.js';
import { mix, permutation } from '../data/random.js';

/** Two answers to one prompt. */
export interface ExamplePair {
  readonly chosen: TokenizedExample;
  readonly rejected: TokenizedExample;
}

/** Pairs in a micro-batch, each of two sequences, the chosen one first. `count` is that of pairs. */
export interface PairBatch extends Batch {
  readonly pairs: readonly number[];
}

function fill(all: readonly ExamplePair[], pairs: readonly number[], { sequences, length }: BatchShape): PairBatch {
  const filling = new Filling(sequences * length);
  for (const pair of pairs) for (const { ids, lossMask } of [all[pair]!.chosen, all[pair]!.rejected]) filling.add(ids, lossMask);
  return { ...filling.batch, pairs, count: pairs.length };
}

/** An endless stream of pairs, in an order shuffled anew for every epoch. */
export class PairStream {
  private order: Int32Array;

  constructor(
    private readonly pairs: readonly ExamplePair[],
    private readonly shape: BatchShape,
    private readonly seed: number,
    readonly cursor: Cursor = { epoch: 0, document: 0, pair: 0 },
  ) {
    this.order = this.shuffled();
  }

  next(): PairBatch {
    return fill(this.pairs, Array.from({ length: this.shape.sequences / 2 }, () => this.draw()), this.shape);
  }

  private draw(): number {
    const { cursor, order } = this;
    const pair = order[cursor.document]!;
    if (++cursor.document < order.length) return pair;
    cursor.document = 0;
    cursor.epoch++;
    this.order = this.shuffled();
    return pair;
  }

  private shuffled(): Int32Array {
    return permutation(this.pairs.length, mix(this.seed, this.cursor.epoch));
  }
}

export function* pairBatchesOf(pairs: readonly ExamplePair[], shape: BatchShape): Generator<PairBatch> {
  const step = shape.sequences / 2;
  for (let at = 0; at < pairs.length; at += step) {
    yield fill(pairs, Array.from({ length: Math.min(step, pairs.length - at) }, (_, i) => at + i), shape);
  }
}

/** Log-probabilities of both answers of each pair, [chosen, rejected, chosen, …]. */
export type LogProbabilities = Float64Array;

/** Sum of the rows of one sequence, in order. */
function sumOf(losses: Float32Array, { spans }: Batch, sequence: number): number {
  let sum = 0;
  for (let row = spans[sequence]!; row < spans[sequence + 1]!; row++) sum += losses[row]!;
  return sum;
}

/** As the engine's weights are now: asked of the model before it learns, it is the reference. */
export async function logProbabilities(engine: TrainEngine, pairs: readonly ExamplePair[], pause: () => Promise<void>): Promise<LogProbabilities> {
  const found = new Float64Array(2 * pairs.length);
  for (const batch of pairBatchesOf(pairs, engine.options)) {
    const losses = engine.losses(batch);
    batch.pairs.forEach((pair, i) => [0, 1].forEach((which) => (found[2 * pair + which] = -sumOf(losses, batch, 2 * i + which))));
    await pause();
  }
  return found;
}

/** How much more the chosen answer gained on the reference than the rejected one, times beta, and its loss. */
interface Preference {
  readonly margin: number;
  readonly loss: number;
  /** 1 - σ(margin): what is left to learn. */
  readonly doubt: number;
}

/**
 * Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290, equation 7): the loss of a pair is
 * -log σ(β (log π(chosen) / π₀(chosen) - log π(rejected) / π₀(rejected))), π₀ the model before it learnt.
 */
export class PreferenceLearner {
  constructor(
    private readonly engine: TrainEngine,
    private readonly reference: LogProbabilities,
    private readonly beta: number,
    private readonly math: SameMath,
  ) {}

  /** Sum of the pairs' losses; their gradients, divided by the rows of the batch, are added to what was gathered. */
  learn(batch: Batch, seed: number): number {
    const { pairs } = batch as PairBatch;
    const losses = this.engine.forward(batch, seed);
    const found = pairs.map((pair, i) => this.compare(pair, batch, losses, i));
    const factors = new Float32Array(batch.ids.length);
    found.forEach(({ doubt }, i) => {
      const [chosen, rejected, end] = batch.spans.subarray(2 * i, 2 * i + 3);
      factors.fill(this.beta * doubt, chosen, rejected);
      factors.fill(-this.beta * doubt, rejected, end);
    });
    this.engine.backward(batch, factors, seed);
    return found.reduce((sum, { loss }) => sum + loss, 0);
  }

  /** Beside the loss: how often the chosen answer is preferred, and by how much. Perplexity is that of the chosen answers. */
  async evaluate(pairs: readonly ExamplePair[], reference: LogProbabilities, bytes: Int32Array, pause: () => Promise<void>): Promise<PreferenceEvaluation> {
    const own = new PreferenceLearner(this.engine, reference, this.beta, this.math);
    const sums = { loss: 0, margin: 0, preferred: 0, nats: 0, tokens: 0, bytes: 0 };
    for (const batch of pairBatchesOf(pairs, this.engine.options)) {
      const losses = this.engine.losses(batch);
      batch.pairs.forEach((pair, i) => own.add(sums, own.compare(pair, batch, losses, i), batch, losses, i, bytes));
      await pause();
    }
    const count = pairs.length;
    return {
      loss: sums.loss / count, accuracy: sums.preferred / count, margin: sums.margin / count,
      perplexity: Math.exp(sums.nats / sums.tokens), bitsPerByte: sums.nats / Math.LN2 / sums.bytes, tokens: sums.tokens,
    };
  }

  private compare(pair: number, batch: Batch, losses: Float32Array, place: number): Preference {
    const gain = (which: 0 | 1) => -sumOf(losses, batch, 2 * place + which) - this.reference[2 * pair + which]!;
    const margin = this.beta * (gain(0) - gain(1));
    const { exp_f64, log_f64 } = this.math;
    const small = exp_f64(-Math.abs(margin));
    return { margin, loss: Math.max(-margin, 0) + log_f64(1 + small), doubt: (margin > 0 ? small : 1) / (1 + small) };
  }

  private add(sums: Record<'loss' | 'margin' | 'preferred' | 'nats' | 'tokens' | 'bytes', number>, { loss, margin }: Preference, batch: Batch, losses: Float32Array, place: number, bytes: Int32Array): void {
    const { spans, targets } = batch;
    sums.loss += loss;
    sums.margin += margin;
    sums.preferred += margin > 0 ? 1 : 0;
    sums.nats += sumOf(losses, batch, 2 * place);
    for (const target of targets.subarray(spans[2 * place], spans[2 * place + 1])) {
      if (target < 0) continue;
      sums.tokens++;
      sums.bytes += bytes[target]!;
    }
  }
}

export interface PreferenceEvaluation extends Evaluation {
  /** Share of the pairs whose chosen answer gained more than the rejected one. */
  readonly accuracy: number;
  /** Mean of β (log-ratio of the chosen - log-ratio of the rejected). */
  readonly margin: number;
}
