import { getitem } from './attributes.js';
import { dump, jsonStyle } from './json.js';
import { fail, lacking, meter } from './meter.js';
import { escapeHtml, plain, text } from './show.js';
import { concat, EMPTY, joined, Str, str, WS } from './str.js';
import { joinTexts, lower, replace, strip, upper } from './strings.js';
import {
  Dict, each, element, iterate, type Kw, Lazy, len, listOf, or, sequence, type Table, textOnly, truth, typeName, Undefined, type Value, View, whole,
} from './values.js';

/** What filters need of the rendering: other filters and tests by name. */
export interface Around {
  filter(name: Value, args: Value[], kw: Kw): Value;
  test(name: Value, args: Value[], kw: Kw): Value;
}

export const some = (value: Value | undefined): value is Value => value !== undefined && value !== null;
export const flag = (value: Value | undefined, otherwise = false): boolean => (value === undefined ? otherwise : truth(value));
export const ignoreCase = (value: Value): Value => (value instanceof Str ? lower(value) : value);
export const lazy = (iterator: Iterator<Value, unknown>): Lazy => new Lazy(iterator);

/** A path such as "address.city" or 0, looked up step by step. */
export function getter(path: Value | undefined, sensitive: boolean, otherwise?: Value): (item: Value) => Value {
  const parts: Value[] = !some(path) ? [] : path instanceof Str ? path.s.split('.').map((part) => (/^\d+$/.test(part) ? BigInt(part) : str(part))) : [path];
  return (item) => {
    const found = parts.reduce<Value>((value, part) => {
      const inner = getitem(value, part);
      return inner instanceof Undefined && some(otherwise) ? otherwise : inner;
    }, item);
    return sensitive ? found : ignoreCase(found);
  };
}

function last(value: Value): Value {
  const list = sequence(value) ?? (value instanceof Dict || value instanceof View || value instanceof Undefined ? undefined : fail(`'${typeName(value)}' object is not reversible`));
  const items = list ?? listOf(value);
  return items.length ? element(items, items.length - 1) : new Undefined('No last item, sequence was empty.');
}

function first(value: Value): Value {
  const step = iterate(value).next();
  return step.done ? new Undefined('No first item, sequence was empty.') : step.value;
}

const WORD_START = new RegExp(`([-${WS}({\\[<]+)`, 'u');
function title(value: Value): Value {
  const given = text(value);
  let at = 0;
  const parts = given.s.split(WORD_START).map((part) => given.cut(at, (at += part.length))).filter(({ s }) => s);
  return concat(parts.map((part) => concat([upper(part.slice(0, 1)), lower(part.slice(1))])));
}

function itemsOf(value: Value): Value {
  if (value instanceof Undefined) return lazy([][Symbol.iterator]());
  return lazy((function* () {
    if (!(value instanceof Dict)) return fail('Can only get item pairs from a mapping.');
    yield* new View('items', value).list();
  })());
}

function* mapped(value: Value, given: Value[], kw: Kw, around: Around): Generator<Value> {
  if (!truth(value)) return;
  let change: (item: Value) => Value;
  if (!given.length && kw.has('attribute')) {
    for (const name of kw.keys()) if (name !== 'attribute' && name !== 'default') fail(`Unexpected keyword argument '${name}'`);
    change = getter(kw.get('attribute'), true, kw.get('default'));
  } else {
    const [name, ...args] = given.length ? given : fail('map requires a filter argument');
    change = (item) => around.filter(name!, [item, ...args], kw);
  }
  for (const item of each(value)) yield change(item);
}

function* selected(value: Value, given: Value[], kw: Kw, around: Around, wanted: boolean, byAttribute: boolean): Generator<Value> {
  if (!truth(value)) return;
  const rest = [...given];
  if (byAttribute && !rest.length) fail('Missing parameter for attribute name');
  const get = byAttribute ? getter(rest.shift(), true) : (item: Value) => item;
  const name = rest.shift();
  for (const item of each(value)) {
    const found = get(item);
    const right = name === undefined ? truth(found) : truth(around.test(name, [found, ...rest], kw));
    if (right === wanted) yield item;
  }
}

const choose = (around: Around, wanted: boolean, byAttribute: boolean) => (args: Value[], kw: Kw): Value => lazy(selected(required(args), args.slice(1), kw, around, wanted, byAttribute));
export const required = ([value]: Value[]): Value => value ?? (value === null ? null : fail('missing value'));
export const number = (value: Value | undefined, otherwise: bigint): Value => or(value, () => otherwise);

function join(value: Value, between: Value | undefined, path: Value | undefined, safe: boolean): Value {
  const items = some(path) ? listOf(value).map(getter(path, true)) : listOf(value);
  const by = between ?? EMPTY;
  if (!safe) return joinTexts(items, by);
  const markup = [by, ...items].some((item) => item instanceof Str && item.safe);
  return markup ? joined(items.map(escapeHtml), escapeHtml(by)).as(true) : joinTexts(items, by);
}

const length = ['-', (value: Value) => len(value)] as const;
const fallback = ['value default_value? boolean?', (value: Value, otherwise: Value = EMPTY, boolean?: Value) => (value instanceof Undefined || (flag(boolean) && !truth(value)) ? otherwise : value)] as const;

function toJson(value: Value, ascii?: Value, by: Value = null, separators: Value = null, sort?: Value): Value {
  return dump(value, jsonStyle(flag(ascii), by, separators, flag(sort)));
}

/** The filters of Jinja's manual, tojson as transformers has it. */
export const filters = (around: Around): Table => ({
  count: length,
  d: fallback,
  default: fallback,
  first: ['seq', first],
  items: ['value', itemsOf],
  join: ['value d? attribute?', (value, between, path) => join(value, between, path, meter().autoescape)],
  last: ['seq', last],
  length,
  list: ['value', listOf],
  lower: ['s', (value) => lower(text(value))],
  map: (args, kw) => lazy(mapped(required(args), args.slice(1), kw, around)),
  reject: choose(around, false, false),
  rejectattr: choose(around, false, true),
  replace: ['s old new count?', (value, old, by, most) => replace(plain(value), plain(old!), plain(by!), some(most) && whole(most) >= 0 ? whole(most) : Infinity)],
  safe: ['value', (value) => text(value).as(true)],
  select: choose(around, true, false),
  selectattr: choose(around, true, true),
  string: ['-', text],
  title: ['s', title],
  tojson: ['x ensure_ascii? indent? separators? sort_keys?', toJson],
  trim: ['value chars?', (value, chars) => strip(text(value), some(chars) ? textOnly(chars) : undefined, true, true)],
  upper: ['s', (value) => upper(text(value))],
});

/** The filters that few templates use. */
export const rareFilters = { table: lacking as () => Table };
