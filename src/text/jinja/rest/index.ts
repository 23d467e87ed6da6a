// What few templates need, fetched when one does.
import { getattr, getitem, rareMethods } from '../attributes.js';
import { rare as rareCompiling } from '../compiler.js';
import { rareFilters } from '../filters.js';
import { rareOperators } from '../operators.js';
import { rare as rareParsing } from '../parser.js';
import { rare as rareNames } from '../runtime.js';
import type { Str } from '../str.js';
import { strftime } from './clock.js';
import { filters } from './filters.js';
import { percent } from './format.js';
import { rareGlobal } from './globals.js';
import { ofFloats, powerOfInts, repeated } from './operators.js';
import { compileRare, parseRare, reference } from './statements.js';
import { stringMethods } from './strings.js';

/** Fills the hooks of the rest of the house. */
export function install(): void {
  const methods = stringMethods((value, name, attribute) => (attribute ? getattr(value, (name as Str).s) : getitem(value, name)));
  Object.assign(rareParsing, { statement: parseRare });
  Object.assign(rareCompiling, { statement: compileRare, self: reference });
  Object.assign(rareFilters, { table: () => filters });
  Object.assign(rareMethods, { table: () => methods });
  Object.assign(rareNames, { global: rareGlobal, strftime });
  Object.assign(rareOperators, { percent, power: powerOfInts, ofFloats, repeated });
}
