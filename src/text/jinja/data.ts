import { spend } from './meter.js';
import { Str } from './str.js';
import { Dict, type Value } from './values.js';

/** A number that JSON writes as a float: 3.0 is another text than 3. */
export class JsonFloat {
  constructor(readonly value: number) {}
}

/** Fields of a message that are the application's own, which templates write into markers (`<|user|>`). */
const OWN: ReadonlySet<string> = new Set(['/role', '/content/type']);

/** What the caller gives, as a template sees it. Objects are gone through when they are asked for. */
export function toValue(given: unknown, marked: boolean, path = ''): Value {
  spend(1);
  switch (typeof given) {
    case 'string': return marked && !OWN.has(path) ? new Str(given, '1'.repeat(given.length)) : new Str(given);
    case 'number': return Number.isInteger(given) ? BigInt(given) : given;
    case 'bigint': case 'boolean': return given;
    case 'object': return given === null ? null : toObject(given, marked, path);
    default: return null;
  }
}

function toObject(given: object, marked: boolean, path: string): Value {
  if (given instanceof JsonFloat) return given.value;
  if (Array.isArray(given)) return given.map((item) => toValue(item, marked, path));
  if ('toJSON' in given && typeof given.toJSON === 'function') return toValue(given.toJSON(), marked, path);
  return new Dict(function* () {
    for (const [name, value] of given instanceof Map ? (given as Map<unknown, unknown>) : Object.entries(given)) {
      if (value === undefined || typeof value === 'function') continue;
      yield [toValue(name, marked), toValue(value, marked, `${path}/${String(name)}`)];
    }
  });
}
