import { once } from 'node:events';
import { visible } from '../../errors.js';
import { barLine, bytes, count, duration, table } from './format.js';
import type { Notes } from './notes.js';
import { cut, Typist } from './width.js';

/** Where nobody tells: the width that terminals began with. */
const USUAL_WIDTH = 80;

/** Columns of the terminal behind a stream. */
export const widthOfTerminal = (stream: { readonly columns?: number | undefined }): number => Math.max(20, stream.columns ?? USUAL_WIDTH);

/** Columns that a table may fill: those of the terminal; for programs a row is a line, however long. */
export const tableWidth = (): number => (process.stdout.isTTY ? widthOfTerminal(process.stdout) : Infinity);

/** A table for standard output. `indented`: columns before it. */
export const printableTable = (rows: readonly (readonly string[])[], right: readonly number[] = [], indented = 0): string => table(rows, right, tableWidth() - indented);

const typist = new Typist(() => widthOfTerminal(process.stdout));
/** Whether standard output stands in the middle of a line. */
let midLine = false;

async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

/** What a model writes, without the control characters that terminals obey. */
export const harmless = (text: string): string => text.replaceAll(/(?![\n\t])\p{Cc}/gu, '\ufffd');

/** Writes to standard output, waiting while a pipe is full; at a terminal lines are broken between words, and nothing steers it. */
export async function print(text: string): Promise<void> {
  if (text === '') return;
  midLine = !text.endsWith('\n');
  await write(process.stdout.isTTY ? typist.push(harmless(text)) : text);
}

/** A line, or several that are laid out already. What steers a terminal is shown, not done; `coloured`: but for colours of our own. */
export async function printLine(text: string, coloured = false): Promise<void> {
  midLine = false;
  typist.push('\n');
  await write(`${coloured ? text : visible(text, '\n\t')}\n`);
}

/** Ends a line that was begun, so that what follows stands on one of its own. */
export const endLine = (): Promise<void> => (midLine ? print('\n') : Promise.resolve());

/** A remark for people: on standard error, and only at a terminal. */
export function remark(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\u001b[2m${visible(text, '\n')}\u001b[0m\n`);
}

const SHOWN_AFTER_MS = 1000;
const REDRAW_MS = 100;
const ERASE_LINE = '\r\u001b[K';
const TASKS = { download: 'downloading', load: 'loading', prefill: 'reading the prompt', judge: 'judging', write: 'writing' } as const;
/** What a bar can count: bytes, but for the prompt's tokens and what is judged. */
type Task = { readonly phase: keyof typeof TASKS; readonly done: number; readonly total: number };

/** A bar on standard error for what takes longer than a second; nothing where that is no terminal. */
export class ProgressBar {
  private phase = '';
  private started = 0;
  private drawn = 0;

  /** With notes, long work says in a log too how far it is. */
  constructor(private readonly notes?: Notes) {}

  readonly update = ({ phase, done, total }: Task): void => {
    const now = performance.now();
    if (phase !== this.phase) {
      this.phase = phase;
      this.started = now;
    }
    this.notes?.tell(() => progressText(phase, done, total, (now - this.started) / 1000));
    if (!(this.notes?.atTerminal ?? process.stderr.isTTY)) return;
    if (now - this.started < SHOWN_AFTER_MS || now - this.drawn < REDRAW_MS) return;
    this.drawn = now;
    process.stderr.write(ERASE_LINE + progressLine(phase, done, total, (now - this.started) / 1000, widthOfTerminal(process.stderr)));
  };

  /** Takes the bar away. */
  readonly end = (): void => {
    if (this.drawn > 0) process.stderr.write(ERASE_LINE);
    this.drawn = 0;
    this.phase = '';
  };
}

/** `loading ████████ 45 % 120 MiB of 270 MiB, 85 MiB/s, 2 s left` */
export function progressLine(phase: keyof typeof TASKS, done: number, total: number, seconds: number, width = USUAL_WIDTH): string {
  const amount = phase === 'prefill' || phase === 'judge' ? (value: number) => `${count(Math.round(value))} ${phase === 'judge' ? 'items' : 'tokens'}` : bytes;
  const rate = done / seconds;
  const speed = `${amount(rate)}/s`;
  if (total <= 0) return cut(`${TASKS[phase]} ${amount(done)}, ${speed}`, width - 1);
  const share = done / total;
  const left = rate > 0 ? `, ${duration((total - done) / rate)} left` : '';
  return barLine(TASKS[phase], share, `${Math.floor(share * 100)} % ${amount(done)} of ${amount(total)}, ${speed}${left}`, width);
}

/** The same without a bar, for a log. */
const progressText = (...[phase, done, total, seconds]: [keyof typeof TASKS, number, number, number]): string =>
  progressLine(phase, done, total, seconds, Infinity).replaceAll(/ [█▏▎▍▌▋▊▉░]+/g, '');

/** Exit code after Ctrl-C: 128 + the number of SIGINT. */
export const INTERRUPTED = 130;

/** 128 + the number of SIGTERM. */
const TERMINATED = 143;
let terminated = false;

/** The exit code of work that was interrupted: how it was. */
export const exitCodeOf = (code: number): number => (code === INTERRUPTED && terminated ? TERMINATED : code);

/** Runs `work` with a signal that Ctrl-C fires, or one of `ends`; a second one ends the process. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>, ends: readonly NodeJS.Signals[] = ['SIGINT']): Promise<T> {
  const controller = new AbortController();
  const interrupt = (signal: NodeJS.Signals) => {
    for (const end of ends) process.off(end, interrupt);
    terminated ||= signal === 'SIGTERM';
    controller.abort();
  };
  for (const end of ends) process.on(end, interrupt);
  try {
    return await work(controller.signal);
  } finally {
    for (const end of ends) process.off(end, interrupt);
  }
}
