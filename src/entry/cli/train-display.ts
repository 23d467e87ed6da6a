import type { StepEvent, TrainEvent } from '../train.js';
import type { Arguments } from './arguments.js';
import { barLine, bytes, count, duration, json, several } from './format.js';
import { Notes } from './notes.js';
import { widthOfTerminal, harmless } from './terminal.js';

const REDRAW_MS = 100;
/** How much the latest step counts in the running means of loss and speed. */
const WEIGHT = 0.05;

/** Seconds and tokens of a step, as running means. */
interface Pace {
  readonly seconds: number;
  readonly tokens: number;
}

/**
 * What training says while it runs: JSON lines on standard output; or on standard error a bar and remarks at a terminal, a line
 * for the beginning and each evaluation in a log.
 */
export class TrainDisplay {
  readonly notes: Notes;
  private readonly asJson: boolean;
  private drawn = 0;
  private loss = 0;
  private pace: Pace | undefined;
  private latest: StepEvent | undefined;

  /** `checkpoint`: where the state is kept. */
  constructor(args: Pick<Arguments, 'has'>, private readonly checkpoint?: string) {
    this.asJson = args.has('json');
    this.notes = new Notes(args);
  }

  readonly show = (event: TrainEvent): void => {
    if (this.asJson) process.stdout.write(`${json(event)}\n`);
    if (event.kind === 'step') return this.step(event);
    if (event.kind === 'sample' && !this.notes.atTerminal) return;
    const line = describe(event);
    if (line) this.notes.say(event.kind === 'start' ? this.begin(line) : `${line}${event.kind === 'evaluation' ? this.paceNow() : ''}`);
  };

  /** What begins, and where its state lies. */
  readonly begin = (line: string): string => (this.checkpoint === undefined ? line : `${line}; checkpoint ${this.checkpoint}`);

  /** Takes the bar away. */
  readonly end = (): void => this.notes.erase();

  private step(event: StepEvent): void {
    const first = this.pace === undefined;
    const blend = (mean: number, value: number) => (first ? value : mean + (value - mean) * WEIGHT);
    const { seconds = 0, tokens = 0 } = this.pace ?? {};
    this.loss = blend(this.loss, event.loss);
    this.pace = { seconds: blend(seconds, event.seconds), tokens: blend(tokens, event.tokens) };
    this.latest = event;
    this.notes.tell(() => `step ${count(event.step)} of ${count(event.steps)}${this.paceNow()}`);
    const now = performance.now();
    if (now - this.drawn < REDRAW_MS) return;
    this.drawn = now;
    this.notes.draw(stepLine(event, this.loss, this.pace, widthOfTerminal(process.stderr)));
  }

  /** `; loss 3.2140, 2,310 tokens/s, 4 min 2 s left`, after the first step and in a log. */
  private paceNow(): string {
    const { latest, pace } = this;
    if (!latest || !pace || this.notes.atTerminal) return '';
    return `; training loss ${this.loss.toFixed(4)}, ${count(Math.round(pace.tokens / pace.seconds))} tokens/s, ${duration((latest.steps - latest.step) * pace.seconds)} left`;
  }
}

/** `step 120 of 2,000 ████░░ 6 % loss 3.214, 2,310 tokens/s, 4 min 2 s left` */
export function stepLine({ step, steps }: Pick<StepEvent, 'step' | 'steps'>, loss: number, { seconds, tokens }: Pace, width = 80): string {
  const share = step / steps;
  const speed = `${count(Math.round(tokens / seconds))} tokens/s, ${duration((steps - step) * seconds)} left`;
  return barLine(`step ${count(step)} of ${count(steps)}`, share, `${Math.floor(share * 100)} % loss ${loss.toFixed(3)}, ${speed}`, width);
}

function describe(event: Exclude<TrainEvent, StepEvent>): string | undefined {
  switch (event.kind) {
    case 'start': {
      const { architecture, layers, embedding, heads, context, vocabulary, window, feedForward } = event.settings.config;
      const shape = architecture === 'nplm' ? `a window of ${window}, embeddings of ${embedding}, ${several(feedForward, 'hidden unit')}` : `${several(layers, 'layer')} of ${embedding}, ${several(heads, 'head')}, context ${context}`;
      const model = `${architecture}, ${several(event.parameters, 'parameter')}: ${shape}, vocabulary ${count(vocabulary)}`;
      return `${model}\n${several(event.trainingTokens, 'token')} to learn from, ${count(event.validationTokens)} to validate; ${several(event.settings.steps, 'step')} of ${event.settings.batch} x ${context}; ${bytes(event.memory.total + event.memory.copies)}; ${several(event.threads, 'thread')}, ${event.build}${event.resumed ? `; going on after step ${count(event.resumed)}` : ''}`;
    }
    case 'evaluation':
      return `step ${count(event.step)}: validation loss ${event.loss.toFixed(4)}, perplexity ${event.perplexity.toFixed(2)}, ${event.bitsPerByte.toFixed(4)} bits per byte${event.best ? '' : ' (not better)'}`;
    case 'sample':
      return `step ${count(event.step)} writes: ${harmless(event.text.trim())}`;
    default:
      return undefined;
  }
}
