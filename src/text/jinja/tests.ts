import { binary } from './operators.js';
import { plain } from './show.js';
import { isLower, isUpper } from './strings.js';
import { Str } from './str.js';
import { contains, Dict, equal, Fn, isNumber, Lazy, Obj, order, sequence, type Table, tryIterate, Undefined, type Value } from './values.js';

const test = (check: (value: Value) => boolean) => ['value', check] as const;
const compare = (sign: string, check: (order: number) => boolean) => ['- -', (a: Value, b?: Value) => check(order(a, b!, sign))] as const;
const modulo = (value: Value, by: bigint): Value => binary('%', value, by);

const less = compare('<', (sign) => sign < 0);
const more = compare('>', (sign) => sign > 0);
const atLeast = compare('>=', (sign) => sign >= 0);
const atMost = compare('<=', (sign) => sign <= 0);
const same = ['- -', (a: Value, b?: Value) => equal(a, b!)] as const;
const other = ['- -', (a: Value, b?: Value) => !equal(a, b!)] as const;

export const isCallable = (value: Value): boolean => value instanceof Fn || value instanceof Undefined || (value instanceof Obj && value.call !== undefined);

/** Ints up to 256 are one object in Python, and so are True, False and None. */
function isSame(a: Value, b: Value): boolean {
  if (typeof a === 'bigint') return a === b && a >= -5n && a <= 256n;
  if (a instanceof Str && b instanceof Str && a.s.length < 2) return a.s === b.s;
  return typeof a !== 'number' && a === b;
}

/** The tests of Jinja's manual. `named` tells filters and tests that are there. */
export const tests = (named: (what: 'filter' | 'test', name: string) => boolean): Table => ({
  odd: test((value) => equal(modulo(value, 2n), 1n)),
  even: test((value) => equal(modulo(value, 2n), 0n)),
  divisibleby: ['value num', (value, by) => equal(binary('%', value, by!), 0n)],
  defined: test((value) => !(value instanceof Undefined)),
  undefined: test((value) => value instanceof Undefined),
  filter: test((value) => value instanceof Str && named('filter', value.s)),
  test: test((value) => value instanceof Str && named('test', value.s)),
  none: test((value) => value === null),
  boolean: test((value) => typeof value === 'boolean'),
  false: test((value) => value === false),
  true: test((value) => value === true),
  integer: test((value) => typeof value === 'bigint'),
  float: test((value) => typeof value === 'number'),
  lower: test((value) => isLower(plain(value))),
  upper: test((value) => isUpper(plain(value))),
  string: test((value) => value instanceof Str),
  mapping: test((value) => value instanceof Dict),
  number: test((value) => value !== null && isNumber(value)),
  sequence: test((value) => sequence(value) !== undefined || value instanceof Dict || value instanceof Undefined),
  iterable: test((value) => value instanceof Lazy || tryIterate(value) !== undefined),
  callable: ['-', isCallable],
  sameas: ['value other', (value, wanted) => isSame(value, wanted!)],
  escaped: test((value) => value instanceof Str && value.safe),
  in: ['value seq', (value, seq) => contains(seq!, value)],
  '==': same, eq: same, equalto: same,
  '!=': other, ne: other,
  '>': more, gt: more, greaterthan: more,
  '>=': atLeast, ge: atLeast,
  '<': less, lt: less, lessthan: less,
  '<=': atMost, le: atMost,
});

