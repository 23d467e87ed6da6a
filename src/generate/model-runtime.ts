import { StonechatError } from '../errors.js';
import type { Arena } from '../kernels/arena.js';
import type { Runner } from '../run/types.js';
import { Candidates } from '../sample/candidates.js';
import { Distribution } from '../sample/distribution.js';
import type { Tokenizer } from '../text/types.js';
import { Pace } from './pace.js';
import type { RenderChat } from './prompt.js';
import { Scheduler } from './scheduler.js';
import { Sequences } from './sequence.js';
import type { Alternative, Token } from './types.js';

/** The event loop gets its turn this often, so that timers and signals run; each turn costs microseconds. */
const TURN_MS = 10;
/** And after this many steps, where the clock stands still between I/O (workerd). */
const TURN_STEPS = 32;

export interface RuntimeParts {
  readonly runner: Runner;
  readonly arena: Arena;
  readonly tokenizer: Tokenizer;
  readonly renderChat: RenderChat;
  /** Lets timers, signals and I/O run. */
  readonly yield: () => Promise<void>;
}

/**
 * What all generations of one model share. Logits live at one place: they are used as the scheduler hands them out, before anything
 * else may run.
 */
export class ModelRuntime {
  readonly runner: Runner;
  readonly tokenizer: Tokenizer;
  readonly renderChat: RenderChat;
  readonly candidates: Candidates;
  readonly distribution: Distribution;
  readonly scheduler: Scheduler;
  readonly sequences: Sequences;
  private readonly yield: () => Promise<void>;
  private readonly texts = new Map<number, string>();
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private lastTurn = 0;
  private steps = 0;
  private turning: Promise<void> | undefined;

  constructor({ runner, arena, tokenizer, renderChat, yield: turn }: RuntimeParts) {
    this.runner = runner;
    this.tokenizer = tokenizer;
    this.renderChat = renderChat;
    this.yield = turn;
    this.sequences = new Sequences(runner);
    this.scheduler = new Scheduler({ runner, pace: new Pace(runner.maxBatch), turn: () => this.turn(), due: () => this.due() });
    this.candidates = new Candidates(runner.kernels, arena, runner.vocabulary);
    this.distribution = new Distribution(runner.kernels, arena, runner.vocabulary);
  }

  /** Lets the event loop turn. All who ask meanwhile wait for the same turn. */
  turn(): Promise<void> {
    return (this.turning ??= this.turnOnce());
  }

  private async turnOnce(): Promise<void> {
    await this.yield();
    this.turning = undefined;
    this.steps = 0;
    this.lastTurn = performance.now();
  }

  /** Whether the event loop has waited long enough. */
  private due(): boolean {
    return this.turning !== undefined || ++this.steps >= TURN_STEPS || performance.now() - this.lastTurn >= TURN_MS;
  }

  /** What the model thought of `id` by row `row` of the logits just evaluated. @throws StonechatError `bad-file` if they are no numbers. */
  tokenAt(row: number, id: number, text: string, top: number): Token {
    const { logsumexp, entropy } = this.measure(row);
    return { id, text, logprob: this.runner.logits(row)[id]! - logsumexp, entropy, top: this.alternatives(top, logsumexp, row) };
  }

  /** Log of the sum of exponentials of the logits just evaluated, and their entropy. @throws StonechatError `bad-file` if they are no numbers. */
  measure(row = 0): { readonly logsumexp: number; readonly entropy: number } {
    const stats = this.distribution.measure(this.rowAt(row));
    if (Number.isFinite(stats.logsumexp)) return stats;
    throw notFinite(stats.largest);
  }

  /** The `count` most likely tokens by the logits just evaluated. */
  alternatives(count: number, logsumexp: number, row = 0): Alternative[] {
    if (count === 0) return [];
    const { ids, logits } = this.distribution.largest(this.rowAt(row), count);
    return Array.from(ids, (id, i) => ({ id, text: this.text(id), logprob: logits[i]! - logsumexp }));
  }

  /** Address of a row of logits. */
  rowAt(row: number): number {
    return this.runner.logitsAddress + row * this.runner.logitsStride;
  }

  /** A token as text of its own: U+FFFD for parts of characters, special tokens by name, nothing for ids that the tokenizer lacks. */
  private text(id: number): string {
    const known = this.texts.get(id);
    if (known !== undefined) return known;
    const text = this.spell(id);
    this.texts.set(id, text);
    return text;
  }

  private spell(id: number): string {
    const { tokenizer } = this;
    if (id >= tokenizer.size) return '';
    return tokenizer.isSpecial(id) ? tokenizer.token(id) : this.decoder.decode(tokenizer.bytes(id));
  }
}

export const notFinite = (found: number): StonechatError =>
  new StonechatError({
    code: 'bad-file',
    expected: 'finite logits',
    found: `${found}${Number.isFinite(found) || found === Infinity ? ' and NaN' : ''} from the model`,
    remedy: 'The weights may be damaged, or too large for their type: try another copy or conversion of the model.',
  });
