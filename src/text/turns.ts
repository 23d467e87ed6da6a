import { aborted } from '../files/refuse.js';

/** Work that can stop in between: it yields how many characters are done, and returns what it has made. */
export type Turns<Made> = Generator<number, Made>;

export interface TurnOptions {
  signal?: AbortSignal;
  /** Characters done, and of how many. */
  onProgress?: (progress: { done: number; total: number }) => void;
}

/** The event loop turns after so much work. */
const TURN_MS = 20;

/** Does the work without turns. */
export function atOnce<Made>(turns: Turns<Made>): Made {
  for (;;) {
    const step = turns.next();
    if (step.done) return step.value;
  }
}

/** Does the work, letting the event loop turn. @throws StonechatError `aborted`. */
export async function inTurns<Made>(turns: Turns<Made>, total: number, { signal, onProgress }: TurnOptions): Promise<Made> {
  let last = performance.now();
  for (;;) {
    if (signal?.aborted) throw aborted(signal, 'the text');
    const step = turns.next();
    if (step.done) {
      onProgress?.({ done: total, total });
      return step.value;
    }
    if (performance.now() - last < TURN_MS) continue;
    onProgress?.({ done: Math.min(step.value, total), total });
    await macrotask();
    last = performance.now();
  }
}

/** Lets the event loop turn when it has waited long enough, asked between pieces of work. */
export function breather(): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    if (performance.now() - last < TURN_MS) return undefined;
    return macrotask().then(() => void (last = performance.now()));
  };
}

/** Where it is at hand a message: timers wait four milliseconds in browsers. */
function macrotask(): Promise<void> {
  if (typeof MessageChannel === 'undefined') return new Promise((resolve) => setTimeout(resolve, 0));
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}
