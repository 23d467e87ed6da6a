import { fromKeys } from './attributes.js';
import { fail, JinjaError, lacking, limit, type Meter, meter, spend } from './meter.js';
import { pairsText, plain } from './show.js';
import { concat, EMPTY, type Str, str } from './str.js';
import { bind, Dict, equal, Fn, type Kw, lengthOf, listOf, Obj, Range, Tuple, Undefined, type Value, whole } from './values.js';

/** What a template writes, in pieces. */
export class Out {
  private readonly parts: Str[] = [];
  private length = 0;

  add(text: Str): void {
    if (!text.s) return;
    this.length += text.s.length;
    meter().room(this.length);
    this.parts.push(text);
  }

  text(): Str {
    return (this.parts.length ? concat(this.parts) : EMPTY).as(meter().autoescape);
  }
}

export type Signal = 'break' | 'continue' | undefined;
/** A statement that may take long hands over the turn between its parts. */
export type Running = Generator<void, Signal>;

const RARE: ReadonlySet<string> = new Set(['cycler', 'joiner']);

/** All that one rendering shares. */
export class Runtime {
  /** Variables set at the top of the template. */
  readonly vars = new Map<string, Value>();

  constructor(
    readonly meter: Meter,
    private readonly given: ReadonlyMap<string, Value>,
    readonly blocks: Map<string, (rt: Runtime, out: Out) => Running>,
  ) {}

  lookUp(name: string): Value | undefined {
    if (this.vars.has(name)) return this.vars.get(name);
    return this.given.has(name) || !RARE.has(name) ? this.given.get(name) : rare.global(name);
  }

  /** With more variables, for a scoped block. */
  derived(locals: ReadonlyMap<string, Value>): Runtime {
    return new Runtime(this.meter, new Map([...this.given, ...this.vars, ...locals]), this.blocks);
  }
}

/** Variables of a function: the template's body, a macro, a recursive loop. */
export class Env {
  private readonly vars = new Map<string, Value | undefined>();
  /** What a filter block wrote. */
  piped: Str = EMPTY;

  constructor(readonly rt: Runtime, private readonly up?: Env) {}

  get(id: string): Value | undefined {
    return this.vars.has(id) ? this.vars.get(id) : this.up?.get(id);
  }
  set(id: string, value: Value | undefined): void {
    this.vars.set(id, value);
  }
}

/** To the end at once: within an expression nothing can wait. */
export function drain(running: Running): Signal {
  for (;;) {
    const step = running.next();
    if (step.done) return step.value;
  }
}

export function attributes(values: Readonly<Record<string, () => Value>>): (name: string) => Value | undefined {
  return (name) => (Object.hasOwn(values, name) ? values[name]!() : undefined);
}

/** The variable `loop`. */
export class Loop {
  readonly obj: Obj;
  private index = -1;
  private after: IteratorResult<Value, unknown> | undefined;
  private before: Value | undefined;
  private current: Value | undefined;
  private changed: Tuple | undefined;
  private length: number | undefined;

  constructor(private iterator: Iterator<Value, unknown>, private readonly source: Value | undefined, depth: number, recurse: ((value: Value, depth: number) => Value) | undefined) {
    const int = (value: () => number) => () => BigInt(value());
    const edge = (item: Value | undefined, which: string) => (item === undefined ? new Undefined(`there is no ${which} item`) : item);
    const peeked = () => this.peek();
    const get = attributes({
      index: int(() => this.index + 1),
      index0: int(() => this.index),
      revindex: int(() => this.count() - this.index),
      revindex0: int(() => this.count() - this.index - 1),
      first: () => this.index === 0,
      last: () => peeked().done === true,
      length: int(() => this.count()),
      depth: int(() => depth + 1),
      depth0: int(() => depth),
      previtem: () => edge(this.index === 0 ? undefined : this.before, 'previous'),
      nextitem: () => edge(peeked().done ? undefined : (peeked().value as Value), 'next'),
      cycle: () => new Fn('cycle', (args) => (args.length ? args[this.index % args.length]! : fail('no items for cycling given'))),
      changed: () => new Fn('changed', (args) => this.isChanged(new Tuple(args))),
    });
    this.obj = new Obj(() => str(`<LoopContext ${this.index + 1}/${this.count()}>`), get, undefined, this.values());
    this.obj.call = (args, kw) => {
      const [value] = bind('loop', 'iterable', args, kw);
      return recurse ? recurse(value!, depth + 1) : fail("The loop must have the 'recursive' marker to be called recursively.");
    };
  }

  private peek(): IteratorResult<Value, unknown> {
    return (this.after ??= this.iterator.next());
  }

  private count(): number {
    if (this.length !== undefined) return this.length;
    const known = this.source === undefined ? undefined : lengthOf(this.source);
    if (known !== undefined) return (this.length = known);
    const rest: Value[] = [];
    for (let step = this.iterator.next(); !step.done; step = this.iterator.next()) {
      spend(1);
      rest.push(step.value);
    }
    this.iterator = rest[Symbol.iterator]();
    return (this.length = rest.length + this.index + 1 + (this.after && !this.after.done ? 1 : 0));
  }

  private isChanged(value: Tuple): boolean {
    const last = this.changed;
    this.changed = value;
    return !last || !equal(last, value);
  }

  next(): IteratorResult<Value, unknown> {
    const step = this.peek();
    this.after = undefined;
    if (step.done) {
      this.after = step;
      return step;
    }
    this.index++;
    this.before = this.current;
    this.current = step.value;
    return step;
  }

  private values(): Iterator<Value> {
    return { next: () => {
      const step = this.next();
      return step.done ? { done: true, value: undefined } : { done: false, value: new Tuple([step.value, this.obj]) };
    } };
  }
}

export class Namespace extends Obj {}

const dictOf = (args: Value[], kw: Kw): Dict => {
  if (args.length > 1) fail(`dict expected at most 1 argument, got ${args.length}`);
  const [first] = args;
  const pairs: [Value, Value][] = first === undefined ? [] : first instanceof Dict ? first.pairs() : listOf(first).map((pair) => {
    const items = listOf(pair);
    return items.length === 2 ? (items as [Value, Value]) : fail(`dictionary update sequence element has length ${items.length}; 2 is required`);
  });
  return Dict.of([...pairs, ...[...kw].map(([name, value]): [Value, Value] => [str(name), value])]);
};

function namespace(args: Value[], kw: Kw): Value {
  const values = new Map<string, Value>();
  const set = (name: string, value: Value) => {
    if (name.startsWith('_')) fail(`Chat templates cannot store underscore-prefixed attributes on a namespace, but got '${name}'.`);
    values.set(name, value);
  };
  for (const [key, value] of dictOf(args, kw).pairs()) set(plain(key).s, value);
  const show = () => concat([str('<Namespace '), pairsText([...values].map(([name, value]) => [str(name), value] as const)), str('>')]);
  return new Namespace(show, (name) => values.get(name), set);
}

const MOST_RANGE = 100_000;
function range(args: Value[], kw: Kw): Value {
  if (kw.size) fail('range() takes no keyword arguments');
  if (args.length < 1 || args.length > 3) fail(`range expected 1 to 3 arguments, got ${args.length}`);
  const [first, stop, step = 1] = args.map(whole) as [number, number?, number?];
  if (step === 0) fail('range() arg 3 must not be zero');
  const made = stop === undefined ? new Range(0, first, 1) : new Range(first, stop, step);
  if (made.length > MOST_RANGE) throw limit(`a range of more than ${MOST_RANGE} items`);
  return made;
}

const global = (name: string, body: (args: Value[], kw: Kw) => Value): [string, Value] => [name, new Fn(name, body)];

/** What few templates use. */
export const rare = {
  /** cycler, joiner */
  global: lacking as (name: string) => Value,
  strftime: lacking as (date: Date, pattern: string) => string,
};

/** Dates as most templates write them. */
function timeText(date: Date, pattern: string): string {
  if (/%[^dbBYm]/.test(pattern)) return rare.strftime(date, pattern);
  const [, b, d, Y] = String(date).split(' '); // in English, by the language's standard
  const parts = { b, d, Y, m: String(date.getMonth() + 1).padStart(2, '0'), B: date.toLocaleString('en', { month: 'long' }) };
  return pattern.replace(/%([a-zA-Z])/g, (_, letter: 'b') => parts[letter]!);
}

/** What every template finds, beside its variables. */
export function globals(now: () => Date): Map<string, Value> {
  const dict = new Obj(() => str("<class 'dict'>"), (name) => (name === 'fromkeys' ? new Fn(name, ([keys, value]) => fromKeys(keys!, value)) : undefined));
  dict.call = dictOf;
  return new Map<string, Value>([
    global('range', range),
    ['dict', dict],
    global('namespace', namespace),
    global('raise_exception', ([message]) => { throw new JinjaError('raised', message === undefined ? '' : plain(message).s); }),
    global('strftime_now', (args, kw) => str(timeText(now(), plain(bind('strftime_now', 'format', args, kw)[0]!).s))),
  ]);
}
