import { fail, JinjaError, meter, spend, work } from './meter.js';
import { EMPTY, Str } from './str.js';

/** A value as a template sees it: bigint is Python's int, number its float, an array its list. */
export type Value = null | boolean | bigint | number | Str | Value[] | Tuple | Dict | View | Range | Lazy | Undefined | Fn | Obj;
export type Kw = Map<string, Value>;

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** What a name or attribute that is not there gives: empty in text, an error in anything else. */
export class Undefined {
  constructor(readonly why: string) {}
  fail(): never {
    return fail(this.why);
  }
}

export class Range {
  readonly length: number;
  constructor(readonly start: number, readonly stop: number, readonly step: number) {
    this.length = Math.max(0, Math.ceil((stop - start) / step));
  }
  at(i: number): Value {
    return BigInt(this.start + i * this.step);
  }
}

/** A generator: gone through once. */
export class Lazy {
  constructor(readonly iterator: Iterator<Value, unknown>) {}
}

export class Fn {
  constructor(readonly name: string, readonly call: (args: Value[], kw: Kw) => Value) {}
}

/** An object with attributes: a namespace, the loop, a macro. */
export class Obj {
  call: ((args: Value[], kw: Kw) => Value) | undefined;
  constructor(
    /** What it is written as. */
    readonly show: () => Str,
    readonly get: (name: string) => Value | undefined,
    readonly set?: (name: string, value: Value) => void,
    readonly iterator?: Iterator<Value>,
  ) {}
}

export class Dict {
  private map: Map<unknown, [Value, Value]> | undefined;
  /** `fill` gives what is in it, when it is first asked for. */
  constructor(private readonly fill?: () => Iterable<[Value, Value]>) {}

  static of(pairs: Iterable<[Value, Value]>): Dict {
    const dict = new Dict();
    for (const [key, value] of pairs) dict.set(key, value);
    return dict;
  }

  private get entries(): Map<unknown, [Value, Value]> {
    if (!this.map) {
      this.map = new Map();
      for (const [key, value] of this.fill?.() ?? []) this.set(key, value);
    }
    return this.map;
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: Value): Value | undefined {
    return this.entries.get(hash(key))?.[1];
  }

  /** The first key of equal ones stays, as in Python. */
  set(key: Value, value: Value): void {
    spend(1);
    const id = hash(key);
    this.entries.set(id, [this.entries.get(id)?.[0] ?? key, value]);
  }

  pairs(): [Value, Value][] {
    return [...this.entries.values()];
  }
}

/** dict.keys() and its kin. */
export class View {
  constructor(readonly kind: 'keys' | 'values' | 'items', readonly dict: Dict) {}
  list(): Value[] {
    const pairs = this.dict.pairs();
    spend(pairs.length);
    return pairs.map(([key, value]) => (this.kind === 'keys' ? key : this.kind === 'values' ? value : new Tuple([key, value])));
  }
}

export const isNumber = (value: Value): value is boolean | bigint | number => typeof value === 'bigint' || typeof value === 'number' || typeof value === 'boolean';
/** Numbers for arithmetic: True is 1. */
export const numeric = (value: boolean | bigint | number): bigint | number => (typeof value === 'boolean' ? BigInt(value) : value);

/** Equal for equal keys of a dict. */
function hash(key: Value): unknown {
  if (key instanceof Str) {
    spend(key.s.length >> 7);
    return `s${key.s}`;
  }
  if (isNumber(key)) {
    const number = numeric(key);
    return typeof number === 'number' && Number.isInteger(number) ? BigInt(number) : number;
  }
  if (key instanceof Tuple) return `t${key.items.map((item) => { const id = hash(item); return `${typeof id}${String(id).length}:${String(id)}`; }).join()}`;
  if (Array.isArray(key) || key instanceof Dict) return fail(`unhashable type: '${typeName(key)}'`);
  return key instanceof Undefined ? Undefined : key;
}
export const hashable = hash;

export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (value instanceof Str) return value.safe ? 'Markup' : 'str';
  if (Array.isArray(value)) return 'list';
  if (value instanceof View) return `dict_${value.kind}`;
  if (value instanceof Fn) return 'function';
  if (value instanceof Lazy) return 'generator';
  if (typeof value !== 'object') return { boolean: 'bool', bigint: 'int', number: 'float' }[typeof value as 'bigint'];
  return value instanceof Tuple ? 'tuple' : value instanceof Dict ? 'dict' : value instanceof Range ? 'range' : value instanceof Undefined ? 'Undefined' : 'object';
}

/** Its number of elements, undefined where Python's len() raises a TypeError. */
export function lengthOf(value: Value): number | undefined {
  if (value instanceof Str || Array.isArray(value) || value instanceof Range) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof View) return value.dict.size;
  if (value instanceof Undefined) return 0;
  if (value instanceof Obj && value.iterator) return Number(value.get('length'));
  return undefined;
}

export const len = (value: Value): bigint => BigInt(lengthOf(value) ?? fail(`object of type '${typeName(value)}' has no len()`));

export function truth(value: Value): boolean {
  if (value === null || typeof value === 'boolean') return value ?? false;
  if (typeof value === 'bigint' || typeof value === 'number') return value != 0; // eslint-disable-line eqeqeq
  return value instanceof Str ? value.s !== '' : value instanceof Lazy || lengthOf(value) !== 0;
}

/** An element of a list, tuple, range or text. */
export function element(value: Str | readonly Value[] | Range, i: number): Value {
  return value instanceof Str ? value.slice(i, i + 1) : value instanceof Range ? value.at(i) : value[i]!;
}

/** A list, tuple, range or text; else undefined. */
export function sequence(value: Value): Str | readonly Value[] | Range | undefined {
  if (value instanceof Tuple) return value.items;
  return value instanceof Str || Array.isArray(value) || value instanceof Range ? value : undefined;
}

/** undefined where Python raises a TypeError. */
export function tryIterate(value: Value): Iterator<Value, unknown> | undefined {
  if (value instanceof Lazy) return value.iterator;
  if (value instanceof Obj) return value.iterator;
  if (value instanceof Undefined) return [][Symbol.iterator]();
  if (value instanceof Str) return value.chars()[Symbol.iterator]();
  if (value instanceof Dict) return new View('keys', value).list()[Symbol.iterator]();
  if (value instanceof View) return value.list()[Symbol.iterator]();
  const list = sequence(value);
  if (!list) return undefined;
  let i = 0;
  return { next: () => (i < list.length ? { done: false, value: element(list, i++) } : { done: true, value: undefined }) };
}

export const iterate = (value: Value): Iterator<Value, unknown> => tryIterate(value) ?? fail(`'${typeName(value)}' object is not iterable`);

/** For `for`; a generator that is left in the middle can be gone on with, as in Python. */
export function* each(value: Value): Generator<Value, void> {
  const iterator = iterate(value);
  for (let step = iterator.next(); !step.done; step = iterator.next()) {
    spend(1);
    yield step.value;
  }
}

export const listOf = (value: Value): Value[] => [...each(value)];

/** Deeper than this is what nobody writes. */
const DEEPEST = 200;
export function nested<T>(run: () => T): T {
  const here = meter();
  if (++here.nesting > DEEPEST) throw new JinjaError('limit', `values more than ${DEEPEST} deep`);
  try {
    return run();
  } finally {
    here.nesting--;
  }
}

export function equal(a: Value, b: Value): boolean {
  if (a === b) return typeof a !== 'number' || a === a; // eslint-disable-line no-self-compare
  if (a instanceof Str) {
    if (!(b instanceof Str) || a.s.length !== b.s.length) return false;
    work(a.s.length);
    return a.s === b.s;
  }
  if (typeof a !== 'object' || typeof b !== 'object') return a !== null && b !== null && isNumber(a) && isNumber(b) && numeric(a) == numeric(b); // eslint-disable-line eqeqeq
  if (a instanceof Undefined) return b instanceof Undefined;
  if (a instanceof Dict) return b instanceof Dict && a.size === b.size && a.pairs().every(([key, value]) => has(b, key) && nested(() => equal(value, b.get(key)!)));
  if (a instanceof View) return b instanceof View && a.kind !== 'values' && a.kind === b.kind && equal(a.dict, b.dict);
  const kind = typeName(a);
  const [left, right] = [sequence(a), sequence(b)];
  if (!left || !right || kind !== typeName(b) || left.length !== right.length) return false;
  spend(left.length);
  for (let i = 0; i < left.length; i++) if (!nested(() => equal(element(left, i), element(right, i)))) return false;
  return true;
}

export const has = (dict: Dict, key: Value): boolean => dict.get(key) !== undefined;

/** Below 0, 0 or above as a is less, equal or more. `sign` is for the message. */
export function order(a: Value, b: Value, sign = '<'): number {
  if (isNumber(a) && isNumber(b)) {
    const [left, right] = [numeric(a), numeric(b)];
    return left < right ? -1 : left > right ? 1 : left == right ? 0 : NaN; // eslint-disable-line eqeqeq
  }
  if (a instanceof Str && b instanceof Str) return orderText(a.s, b.s);
  if (a instanceof Undefined) return a.fail();
  if (b instanceof Undefined) return b.fail();
  const [left, right] = [sequence(a), sequence(b)];
  if (left && right && typeName(a) === typeName(b) && !(a instanceof Range)) {
    for (let i = 0; i < left.length && i < right.length; i++) {
      spend(1);
      const [one, other] = [element(left, i), element(right, i)];
      if (!equal(one, other)) return nested(() => order(one, other, sign));
    }
    return left.length - right.length;
  }
  return fail(`'${sign}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** By code points: UTF-16 puts what lies beyond U+FFFF before U+E000. */
function orderText(a: string, b: string): number {
  work(Math.min(a.length, b.length));
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  if (i >= a.length || i >= b.length) return a.length - b.length;
  const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)];
  const far = (unit: number) => unit >= 0xd800 && unit < 0xe000;
  return far(left) === far(right) ? left - right : far(left) ? 1 : -1;
}

/** A stable sort by `order`. */
export function sorted(items: readonly Value[], key: (item: Value) => Value, reverse = false): Value[] {
  const keyed = items.map((item) => ({ item, key: key(item) }));
  const sign = reverse ? -1 : 1;
  return keyed.sort((a, b) => (spend(1), sign * (order(a.key, b.key) || 0))).map(({ item }) => item);
}

export function contains(container: Value, item: Value): boolean {
  if (container instanceof Str) {
    if (!(item instanceof Str)) return fail(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    work(container.s.length);
    return container.s.includes(item.s);
  }
  if (container instanceof Dict || (container instanceof View && container.kind === 'keys')) return has(container instanceof Dict ? container : container.dict, item);
  if (!tryIterate(container)) return fail(`argument of type '${typeName(container)}' is not iterable`);
  const iterator = iterate(container);
  for (let step = iterator.next(); !step.done; step = iterator.next()) {
    spend(1);
    if (equal(step.value, item)) return true;
  }
  return false;
}

/** An int where Python wants an index. */
export function whole(value: Value): number {
  if (typeof value === 'bigint' || typeof value === 'boolean') return Number(value);
  if (value instanceof Undefined) return value.fail();
  return fail(`'${typeName(value)}' object cannot be interpreted as an integer`);
}

export function textOnly(value: Value): Str {
  if (value instanceof Str) return value;
  return value instanceof Undefined ? value.fail() : fail(`a str is required, not ${typeName(value)}`);
}

/** list[start:stop:step] of the length given: first index, the one after the last, count, step. */
export function sliceOf(length: number, start: Value, stop: Value, step: Value): { first: number; last: number; count: number; by: number } {
  const by = step === null ? 1 : whole(step);
  if (by === 0) fail('slice step cannot be zero');
  const clamp = (value: Value, otherwise: number) => {
    if (value === null) return otherwise;
    const i = whole(value);
    return i < 0 ? Math.max(i + length, by < 0 ? -1 : 0) : Math.min(i, by < 0 ? length - 1 : length);
  };
  const first = clamp(start, by < 0 ? length - 1 : 0);
  const last = clamp(stop, by < 0 ? -1 : length);
  return { first, last, count: Math.max(0, Math.ceil((last - first) / by)), by };
}

export function slice(value: Value, start: Value, stop: Value, step: Value): Value {
  const list = sequence(value);
  if (!list) return value instanceof Undefined ? value.fail() : fail(value instanceof Dict ? "unhashable type: 'slice'" : `'${typeName(value)}' object is not subscriptable`);
  const { first, last, count, by } = sliceOf(list.length, start, stop, step);
  spend(count);
  if (list instanceof Range) return new Range(list.start + first * list.step, list.start + last * list.step, list.step * by);
  if (list instanceof Str) {
    if (by === 1) return list.slice(first, first + count);
    const picked = Array.from({ length: count }, (_, i) => list.slice(first + i * by, first + i * by + 1));
    return count ? new Str(picked.map(({ s }) => s).join(''), list.m && picked.map(({ mask }) => mask).join(''), list.safe) : EMPTY.as(list.safe);
  }
  const items = Array.from({ length: count }, (_, i) => list[first + i * by]!);
  return value instanceof Tuple ? new Tuple(items) : items;
}

/** Arguments by the names in `spec`; those with ? may be left out, `-` can be given by place only. */
export function bind(name: string, spec: string, args: Value[], kw: Kw): (Value | undefined)[] {
  const names = spec ? spec.split(' ') : [];
  if (args.length > names.length) fail(`${name}() takes at most ${names.length} arguments (${args.length} given)`);
  const bound: (Value | undefined)[] = [...args];
  const rest = new Set(kw.keys());
  names.forEach((parameter, i) => {
    const plain = parameter.replace('?', '');
    if (rest.delete(plain)) {
      if (i < args.length) fail(`${name}() got multiple values for argument '${plain}'`);
      bound[i] = kw.get(plain)!;
    } else if (i >= args.length && plain === parameter) fail(`${name}() missing a required argument: '${parameter}'`);
  });
  for (const extra of rest) fail(`${name}() got an unexpected keyword argument '${extra}'`);
  return bound;
}

export type Body = (a: Value, b?: Value, c?: Value, d?: Value, e?: Value, f?: Value) => Value;
export type Call = (args: Value[], kw: Kw) => Value;

/** A function with named parameters. */
export const call = (name: string, spec: string, body: Body): Call => (args, kw) => {
  const [a, b, c, d, e, f] = bind(name, spec, args, kw);
  return body(a!, b, c, d, e, f);
};

/** A table of functions, each with its parameters. */
export type Table = Readonly<Record<string, readonly [string, Body] | Call>>;
export function find(table: Table, name: string): Call | undefined {
  if (!Object.hasOwn(table, name)) return undefined;
  const entry = table[name]!;
  return typeof entry === 'function' ? entry : call(name, entry[0], entry[1]);
}

/** `??` would take None for what is not there. */
export const or = (value: Value | undefined, otherwise: () => Value): Value => (value === undefined ? otherwise() : value);
