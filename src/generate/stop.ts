/** Lets text through until a stop string appears; holds back what could still become one. */
export class StopScanner {
  private held = '';
  /** Whether a stop string was found: it and what follows it are never let through. */
  stopped = false;

  constructor(private readonly stops: readonly string[]) {}

  /** Takes more text and returns what is certain to stand before any stop string. */
  push(text: string): string {
    if (this.stopped) return '';
    if (this.stops.length === 0) return text;
    this.held += text;
    const found = this.stops.map((stop) => this.held.indexOf(stop)).filter((at) => at >= 0);
    this.stopped = found.length > 0;
    return this.release(this.stopped ? Math.min(...found) : this.held.length - this.undecided());
  }

  /** What is still held back, when no more text will come. */
  flush(): string {
    return this.stopped ? '' : this.release(this.held.length);
  }

  private release(length: number): string {
    const out = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return out;
  }

  /** Length of the longest end of the held text with which some stop string begins. */
  private undecided(): number {
    const longest = Math.max(...this.stops.map((stop) => stop.length)) - 1;
    for (let length = Math.min(longest, this.held.length); length > 0; length--) {
      const end = this.held.slice(-length);
      if (this.stops.some((stop) => stop.startsWith(end))) return length;
    }
    return 0;
  }
}
