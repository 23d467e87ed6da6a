/** What a template may use up, so that no template of a stranger can take a machine with it. */
export interface TemplateLimits {
  /** Statements, operations and elements looped over, and one per 128 characters worked on. Default 2 million. */
  readonly steps?: number;
  /** Characters of the prompt, and of any one text on the way to it. Default 4 MiB. */
  readonly output?: number;
}

export type Fault = 'syntax' | 'unsupported' | 'raised' | 'runtime' | 'limit';

/** Why a template gives no text. */
export class JinjaError extends Error {
  constructor(readonly fault: Fault, message: string) {
    super(message);
  }
}

/**
 * Thrown where a template needs what stands in rest/, before that is loaded: the rendering then begins anew. Hooks that rest/ fills
 * are made of it.
 */
export class Lacking extends Error {}
export const lacking = (): never => {
  throw new Lacking();
};

/** Python's TypeError, ValueError and the like: they have one class here, as no template can catch them. */
export function fail(message: string): never {
  throw new JinjaError('runtime', message);
}

const STEPS = 2_000_000;
const OUTPUT = 4 << 20;
const CHARACTERS_A_STEP = 128;
/** Macros in macros: below what engines' stacks hold. */
const DEPTH = 100;

/** Counts what one rendering uses. */
export class Meter {
  private readonly steps: number;
  readonly output: number;
  private used = 0;
  depth = 0;
  nesting = 0;
  /** {% autoescape %} is on. */
  autoescape = false;

  constructor({ steps = STEPS, output = OUTPUT }: TemplateLimits = {}) {
    this.steps = steps;
    this.output = output;
  }

  spend(steps: number): void {
    if ((this.used += steps) > this.steps) throw limit(`more than ${this.steps} steps`);
  }

  /** For a text of so many characters. */
  room(length: number): void {
    if (length > this.output) throw limit(`a text of more than ${this.output} characters`);
  }

  deeper(): void {
    if (++this.depth > DEPTH) throw limit(`calls more than ${DEPTH} deep`);
  }
}

export const limit = (found: string) => new JinjaError('limit', found);

/** The rendering that runs now. Renderings take turns, so each sets it when it goes on. */
let current = new Meter();
export const useMeter = (meter: Meter): void => void (current = meter);
export const meter = (): Meter => current;
export const spend = (steps: number): void => current.spend(steps);

/** Before a text of `length` characters is made by looking at all of them. */
export function work(length: number): void {
  current.room(length);
  current.spend(1 + Math.floor(length / CHARACTERS_A_STEP));
}
