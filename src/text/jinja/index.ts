import { Compiler } from './compiler.js';
import { toValue } from './data.js';
import { JinjaError, Lacking, Meter, type TemplateLimits, useMeter } from './meter.js';
import { globals, Out, Runtime } from './runtime.js';

export { JinjaError, type TemplateLimits } from './meter.js';

/** What a template made. */
export interface Rendered {
  readonly text: string;
  /** As long as the text: 1 for each unit that stood in a message, 0 for the template's own. '' if all is its own. */
  readonly marks: string;
}

export interface RenderOptions {
  readonly limits?: TemplateLimits;
  readonly signal?: AbortSignal;
  /** Names of variables whose texts are marked. */
  readonly marked?: readonly string[];
}

/** How long a template may run before timers and signals get their turn. */
const TURN_MS = 40;
const turn = (): Promise<void> => new Promise((done) => setTimeout(done, 0));

/** Templates that were compiled last: a conversation renders one again and again. */
const compiled = new Map<string, { compiler: Compiler; template: ReturnType<Compiler['compile']> }>();
const MOST_COMPILED = 8;

function compile(source: string) {
  const known = compiled.get(source);
  if (known) return known;
  const compiler = new Compiler();
  const made = { compiler, template: compiler.compile(source) };
  if (compiled.size >= MOST_COMPILED) compiled.delete(compiled.keys().next().value!);
  compiled.set(source, made);
  return made;
}

/** @throws JinjaError, and the signal's reason once it has fired. */
export async function renderTemplate(source: string, variables: Readonly<Record<string, unknown>>, options: RenderOptions = {}): Promise<Rendered> {
  try {
    return await attempt(source, variables, options);
  } catch (error) {
    if (!(error instanceof Lacking)) throw error;
    (await import('./rest/index.js')).install();
    compiled.clear();
    return attempt(source, variables, options);
  }
}

async function attempt(source: string, variables: Readonly<Record<string, unknown>>, options: RenderOptions): Promise<Rendered> {
  const { limits, signal, marked = [] } = options;
  const meter = new Meter(limits);
  const out = new Out();
  try {
    useMeter(meter);
    const { compiler, template } = compile(source);
    const given = globals(() => new Date());
    for (const [name, value] of Object.entries(variables)) {
      if (value !== undefined) given.set(name, toValue(value, marked.includes(name)));
    }
    const running = template(new Runtime(meter, given, compiler.blocks), out);
    for (let since = Date.now(); ; useMeter(meter)) {
      signal?.throwIfAborted();
      if (running.next().done) break;
      if (Date.now() - since < TURN_MS) continue;
      await turn();
      since = Date.now();
    }
    const { s, m } = out.text();
    return { text: s, marks: m };
  } catch (error) {
    // The stack of the engine, or a text longer than it allows.
    if (error instanceof RangeError) throw new JinjaError('limit', error.message);
    throw error;
  }
}
