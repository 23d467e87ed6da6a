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

/** Characters between two turns. */
export const CHUNK = 1 << 16;

/** May a text be cut between these two characters? Where it may, its parts are rewritten as the whole is. */
export type MayCut = (previous: number, next: number) => boolean;

/** A rewriting of a text, part by part. */
export function* rewriteInTurns(text: string, rewrite: (text: string) => string, mayCut?: MayCut): Turns<string> {
  if (text.length <= CHUNK) return rewrite(text);
  const parts: string[] = [];
  for (let from = 0; from < text.length; ) {
    let to = Math.min(text.length, from + CHUNK);
    while (to < text.length && !isPlaceToCut(text, to, mayCut)) to++;
    parts.push(rewrite(text.slice(from, to)));
    yield (from = to);
  }
  return parts.join('');
}

function isPlaceToCut(text: string, at: number, mayCut: MayCut | undefined): boolean {
  const next = text.codePointAt(at)!;
  if (next >= 0xdc00 && next < 0xe000) return false; // the half of a pair, or nearly
  const pair = text.codePointAt(at - 2)!;
  return !mayCut || mayCut(pair > 0xffff ? pair : text.charCodeAt(at - 1), next);
}

/** The same work, whose turns tell that so much is done. */
export function* toldAs<Made>(turns: Turns<Made>, done: number): Turns<Made> {
  for (;;) {
    const step = turns.next();
    if (step.done) return step.value;
    yield done;
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
