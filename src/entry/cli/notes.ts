// What long work says of itself on standard error: dimmed at a terminal, plain lines in a log; nothing beside JSON or with --quiet.
import type { Arguments } from './arguments.js';

const ERASE_LINE = '\r\u001b[K';
/** In a log, work that says nothing else tells this often how far it is. */
const EVERY_MS = 60_000;

export class Notes {
  /** Whether somebody watches: bars are drawn. */
  readonly atTerminal: boolean;
  private readonly silent: boolean;
  private drawn = false;
  private last = performance.now();

  constructor(args: Pick<Arguments, 'has'>) {
    this.silent = args.has('json') || args.has('quiet');
    this.atTerminal = !this.silent && process.stderr.isTTY === true;
  }

  /** A line of its own. */
  say(text: string): void {
    if (this.silent) return;
    this.erase();
    this.last = performance.now();
    process.stderr.write(this.atTerminal ? `\u001b[2m${text}\u001b[0m\n` : `${text.replaceAll(/\s*\n\s*/g, '; ')}\n`);
  }

  /** A bar, over the one before. */
  draw(line: string): void {
    if (!this.atTerminal) return;
    this.drawn = true;
    process.stderr.write(ERASE_LINE + line);
  }

  /** In a log: how far the work is, where it has said nothing for long. */
  tell(line: () => string): void {
    if (!this.silent && !this.atTerminal && performance.now() - this.last >= EVERY_MS) this.say(line());
  }

  /** Takes the bar away. */
  erase(): void {
    if (this.drawn) process.stderr.write(ERASE_LINE);
    this.drawn = false;
  }
}
