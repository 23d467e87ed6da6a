import { fail, lacking, spend } from './meter.js';
import { repr } from './show.js';
import { Str, str } from './str.js';
import { stringMethods } from './strings.js';
import { Dict, element, equal, find, Fn, isNumber, nested, numeric, Obj, or, Range, sequence, type Table, Tuple, typeName, Undefined, type Value, View } from './values.js';

/** A tuple with names, as groupby makes them. */
export class Group extends Tuple {}

const indexIn = (self: Value, item?: Value): Value => {
  const list = sequence(self)!;
  for (let i = 0; i < list.length; i++, spend(1)) if (equal(element(list, i), item!)) return BigInt(i);
  return fail(`${repr(item!).s} is not in ${typeName(self)}`);
};
const countIn = (self: Value, item?: Value): Value => {
  const list = sequence(self)!;
  let count = 0n;
  for (let i = 0; i < list.length; i++, spend(1)) if (equal(element(list, i), item!)) count++;
  return count;
};
const COUNTED: Table = { index: ['self -', indexIn], count: ['self -', countIn] };
const same = ['self', (self: Value) => self] as const;

const DICT: Table = {
  keys: ['self', (self) => new View('keys', self as Dict)],
  values: ['self', (self) => new View('values', self as Dict)],
  items: ['self', (self) => new View('items', self as Dict)],
  get: ['self - -?', (self, key, otherwise = null) => or((self as Dict).get(key!), () => otherwise)],
  copy: same,
  fromkeys: ['self - -?', (_, keys, value) => fromKeys(keys!, value)],
};
export function fromKeys(keys: Value, value: Value = null): Dict {
  const list = sequence(keys) ?? (keys instanceof Dict ? new View('keys', keys).list() : fail(`'${typeName(keys)}' object is not iterable`));
  return Dict.of(Array.from({ length: list.length }, (_, i) => [element(list, i), value]));
}

const NUMBER: Table = {
  conjugate: same,
  is_integer: ['self', (self) => Number.isInteger(Number(self))],
  bit_length: ['self', (self) => BigInt(numeric(self as bigint).toString(2).replace('-', '').replace(/^0$/, '').length)],
};
/** What changes lists and dicts is there, but not for templates. */
const CHANGING = /^(?:append|clear|extend|insert|pop|popitem|remove|reverse|setdefault|sort|update)$/;

/** Methods of texts that few templates use. */
export const rareMethods = { table: lacking as () => Table };

function tableOf(value: Value): Table {
  if (value instanceof Dict) return DICT;
  if (isNumber(value)) return NUMBER;
  return Array.isArray(value) || value instanceof Tuple || value instanceof Range ? COUNTED : {};
}

/** The attribute itself, undefined where Python raises an AttributeError. */
function attribute(value: Value, name: string): Value | undefined {
  if (value instanceof Undefined) return value.fail();
  if (value instanceof Obj) return value.get(name);
  if (value instanceof Group && (name === 'grouper' || name === 'list')) return value.items[name === 'list' ? 1 : 0];
  if (isNumber(value) && (name === 'real' || name === 'numerator')) return numeric(value);
  if (isNumber(value) && (name === 'imag' || name === 'denominator')) return name === 'imag' ? 0n : 1n;
  if (value instanceof Range && (name === 'start' || name === 'stop' || name === 'step')) return BigInt(value[name]);
  const method = value instanceof Str ? (find(stringMethods, name) ?? find(rareMethods.table(), name)) : find(tableOf(value), name);
  if (method) return new Fn(name, (args, kw) => method([value, ...args], kw));
  if (Array.isArray(value) && name === 'copy') return new Fn(name, () => value);
  const changes = CHANGING.test(name) && (value instanceof Dict ? !/^(?:append|extend|insert|remove|reverse|sort)$/.test(name) : Array.isArray(value) && !/^(?:popitem|setdefault|update)$/.test(name));
  return changes || /^__\w*__$/.test(name) ? new Undefined(`access to attribute '${name}' of '${typeName(value)}' object is unsafe.`) : undefined;
}

function missing(value: Value, key: Value): Undefined {
  const what = value === null ? 'None' : `${typeName(value)} object`;
  return new Undefined(key instanceof Str ? `'${what}' has no attribute ${repr(key).s}` : `${what} has no element ${repr(key).s}`);
}

/** value[key], undefined where Python raises a TypeError or LookupError. */
function item(value: Value, key: Value): Value | undefined {
  if (value instanceof Undefined) return value.fail();
  if (value instanceof Dict) return Array.isArray(key) || key instanceof Dict ? undefined : nested(() => value.get(key));
  const list = sequence(value);
  if (!list || (typeof key !== 'bigint' && typeof key !== 'boolean')) return undefined;
  const i = Number(key) < 0 ? Number(key) + list.length : Number(key);
  return i >= 0 && i < list.length ? element(list, i) : undefined;
}

/** value.name */
export const getattr = (value: Value, name: string): Value => or(attribute(value, name), () => or(item(value, str(name)), () => missing(value, str(name))));

/** value[key] */
export function getitem(value: Value, key: Value): Value {
  spend(1);
  return or(item(value, key), () => or(key instanceof Str ? attribute(value, key.s) : undefined, () => missing(value, key)));
}

/** The attribute alone, for the filter attr. */
export const ownAttribute = (value: Value, name: string): Value => or(attribute(value, name), () => missing(value, str(name)));
