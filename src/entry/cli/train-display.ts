import type { StepEvent, TrainEvent } from '../train.js';
import { bar, bytes, count, duration, json, several } from './format.js';

const ERASE_LINE = '\r\u001b[K';
const REDRAW_MS = 100;
const BAR_WIDTH = 24;
/** How much the latest step counts in the running means of loss and speed. */
const WEIGHT = 0.05;

/** What training says while it runs: JSON lines on standard output, or a bar and remarks on standard error at a terminal, or nothing. */
export class TrainDisplay {
  private drawn = 0;
  private loss = 0;
  /** Seconds and tokens of a step, as running means. */
  private pace: { seconds: number; tokens: number } | undefined;
  private readonly atTerminal: boolean;

  constructor(private readonly asJson: boolean) {
    this.atTerminal = !asJson && process.stderr.isTTY;
  }

  readonly show = (event: TrainEvent): void => {
    if (this.asJson) process.stdout.write(`${json(event)}\n`);
    if (!this.atTerminal) return;
    if (event.kind === 'step') return this.step(event);
    const line = describe(event);
    if (line) this.say(line);
  };

  /** Takes the bar away. */
  readonly end = (): void => {
    if (this.drawn > 0) process.stderr.write(ERASE_LINE);
    this.drawn = 0;
  };

  private step(event: StepEvent): void {
    const first = this.pace === undefined;
    const blend = (mean: number, value: number) => (first ? value : mean + (value - mean) * WEIGHT);
    const { seconds = 0, tokens = 0 } = this.pace ?? {};
    this.loss = blend(this.loss, event.loss);
    this.pace = { seconds: blend(seconds, event.seconds), tokens: blend(tokens, event.tokens) };
    const now = performance.now();
    if (now - this.drawn < REDRAW_MS) return;
    this.drawn = now;
    process.stderr.write(ERASE_LINE + stepLine(event, this.loss, this.pace));
  }

  private say(text: string): void {
    this.end();
    process.stderr.write(`\u001b[2m${text}\u001b[0m\n`);
  }
}

/** `step 120 of 2,000 ████░░ 6 % loss 3.214, 2,310 tokens/s, 4 min 2 s left` */
export function stepLine({ step, steps }: Pick<StepEvent, 'step' | 'steps'>, loss: number, { seconds, tokens }: { seconds: number; tokens: number }): string {
  const share = step / steps;
  return `step ${count(step)} of ${count(steps)} ${bar(share, BAR_WIDTH).padEnd(BAR_WIDTH, '░')} ${Math.floor(share * 100)} % loss ${loss.toFixed(3)}, ${count(Math.round(tokens / seconds))} tokens/s, ${duration((steps - step) * seconds)} left`;
}

/** Untrained models write control characters, which terminals obey. */
const printable = (text: string): string => text.replaceAll(/(?!\n)\p{Cc}/gu, '\ufffd');

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
      return `step ${count(event.step)} writes: ${printable(event.text.trim())}`;
    default:
      return undefined;
  }
}
