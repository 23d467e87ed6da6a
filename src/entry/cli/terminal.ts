import { once } from 'node:events';
import { bar, bytes, count, duration } from './format.js';

/** Writes to standard output, waiting while a pipe is full. */
export async function print(text: string): Promise<void> {
  if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain');
}

export const printLine = (text: string): Promise<void> => print(`${text}\n`);

/** A remark for people: on standard error, and only at a terminal. */
export function remark(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\u001b[2m${text}\u001b[0m\n`);
}

/** All of standard input, without the last line break. */
export async function readInput(): Promise<string> {
  const chunks: string[] = [];
  for await (const chunk of process.stdin.setEncoding('utf8')) chunks.push(chunk as string);
  return chunks.join('').replace(/\r?\n$/, '');
}

/** Lines of standard input. */
export async function* inputLines(): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    const lines = (rest + (chunk as string)).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== '') yield rest;
}

const SHOWN_AFTER_MS = 1000;
const REDRAW_MS = 100;
const BAR_WIDTH = 24;
const ERASE_LINE = '\r\u001b[K';
const TASKS = { download: 'downloading', load: 'loading', prefill: 'reading the prompt', judge: 'judging', write: 'writing' } as const;
/** What a bar can count: bytes, but for the prompt's tokens and what is judged. */
type Task = { readonly phase: keyof typeof TASKS; readonly done: number; readonly total: number };

/** A bar on standard error for what takes longer than a second; nothing where that is no terminal. */
export class ProgressBar {
  private phase = '';
  private started = 0;
  private drawn = 0;

  readonly update = ({ phase, done, total }: Task): void => {
    if (!process.stderr.isTTY) return;
    const now = performance.now();
    if (phase !== this.phase) {
      this.phase = phase;
      this.started = now;
    }
    if (now - this.started < SHOWN_AFTER_MS || now - this.drawn < REDRAW_MS) return;
    this.drawn = now;
    process.stderr.write(ERASE_LINE + progressLine(phase, done, total, (now - this.started) / 1000));
  };

  /** Takes the bar away. */
  readonly end = (): void => {
    if (this.drawn > 0) process.stderr.write(ERASE_LINE);
    this.drawn = 0;
    this.phase = '';
  };
}

/** `loading ████████ 45 % 120 MiB of 270 MiB, 85 MiB/s, 2 s left` */
export function progressLine(phase: keyof typeof TASKS, done: number, total: number, seconds: number): string {
  const amount = phase === 'prefill' || phase === 'judge' ? (value: number) => `${count(Math.round(value))} ${phase === 'judge' ? 'items' : 'tokens'}` : bytes;
  const rate = done / seconds;
  const speed = `${amount(rate)}/s`;
  if (total <= 0) return `${TASKS[phase]} ${amount(done)}, ${speed}`;
  const share = done / total;
  const left = rate > 0 ? `, ${duration((total - done) / rate)} left` : '';
  return `${TASKS[phase]} ${bar(share, BAR_WIDTH).padEnd(BAR_WIDTH, '░')} ${Math.floor(share * 100)} % ${amount(done)} of ${amount(total)}, ${speed}${left}`;
}

/** Exit code after Ctrl-C: 128 + the number of SIGINT. */
export const INTERRUPTED = 130;

/** Runs `work` with a signal that Ctrl-C fires; a second Ctrl-C ends the process. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => controller.abort();
  process.once('SIGINT', interrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', interrupt);
  }
}
