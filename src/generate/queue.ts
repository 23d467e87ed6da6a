/** A consumer that holds a token for so long, while others wait, lets them go ahead. */
const PATIENCE_MS = 500;
const POLL_MS = 50;

/**
 * Whose turn it is on one KV cache: first come, first served. A generation that its consumer has left lying (or that
 * waits for a second one, nested in its loop) would block the queue for ever; it is overtaken after half a second. That
 * costs it a new prefill when it goes on, and changes nothing in what it says.
 */
export class Queue {
  private readonly tickets: Ticket[] = [];
  private readonly waiting = new Set<() => void>();

  join(): Ticket {
    const ticket = new Ticket(this);
    this.tickets.push(ticket);
    return ticket;
  }

  leave(ticket: Ticket): void {
    const at = this.tickets.indexOf(ticket);
    if (at >= 0) this.tickets.splice(at, 1);
    this.wake();
  }

  /** Lets all who wait look again. */
  wake(): void {
    for (const look of this.waiting) look();
  }

  /** Gives `ticket` the first position, if it has it already or those before it have been overtaken. */
  admit(ticket: Ticket): boolean {
    const at = this.tickets.indexOf(ticket);
    const now = performance.now();
    if (!this.tickets.slice(0, at).every(({ restingSince }) => now - restingSince >= PATIENCE_MS)) return false;
    this.tickets.splice(at, 1);
    this.tickets.unshift(ticket);
    return true;
  }

  /** Until someone leaves, the signal fires, or it is time to look again. */
  change(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        clearTimeout(timer);
        this.waiting.delete(look);
        signal?.removeEventListener('abort', look);
        resolve();
      };
      const timer = setTimeout(look, POLL_MS);
      this.waiting.add(look);
      signal?.addEventListener('abort', look);
    });
  }
}

/** One generation's place in the queue. */
export class Ticket {
  /** When its consumer was given a token, in ms; Infinity while it works or waits. */
  restingSince = Infinity;

  constructor(private readonly queue: Queue) {}

  /** Resolves when it is this generation's turn. `check` throws what should end the waiting. */
  async turn(signal: AbortSignal | undefined, check: () => void): Promise<void> {
    this.restingSince = Infinity;
    for (check(); !this.queue.admit(this); check()) await this.queue.change(signal);
  }

  /** The consumer has the word. */
  rest(): void {
    this.restingSince = performance.now();
  }

  leave(): void {
    this.queue.leave(this);
  }
}
