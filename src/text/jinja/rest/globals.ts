import { fail } from '../meter.js';
import { attributes } from '../runtime.js';
import { EMPTY, str } from '../str.js';
import { bind, Fn, type Kw, Obj, type Value } from '../values.js';

function cycler(items: Value[]): Value {
  if (!items.length) fail('at least one item has to be provided');
  let at = 0;
  const next = (): Value => {
    const item = items[at]!;
    at = (at + 1) % items.length;
    return item;
  };
  return new Obj(() => str('<Cycler>'), attributes({
    current: () => items[at]!,
    next: () => new Fn('next', next),
    reset: () => new Fn('reset', () => ((at = 0), null)),
  }));
}

function joiner(args: Value[], kw: Kw): Value {
  const [between = str(', ')] = bind('joiner', 'sep?', args, kw);
  let used = false;
  const join = new Obj(() => str('<Joiner>'), attributes({ sep: () => between, used: () => used }));
  join.call = () => {
    const value = used ? between : EMPTY;
    used = true;
    return value;
  };
  return join;
}

const GLOBALS: Readonly<Record<string, Value>> = { cycler: new Fn('cycler', cycler), joiner: new Fn('joiner', joiner) };
export const rareGlobal = (name: string): Value => GLOBALS[name]!;
