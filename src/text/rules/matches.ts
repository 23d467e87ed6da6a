import type { Json } from '../json.js';
import { compilePattern } from '../regex.js';
import type { Finder, Span } from './piece.js';

/** Every place of a literal. An empty one is found at every character, as a pattern would be. */
export function literalFinder(literal: string): Finder {
  if (!literal) return patternFinder(/(?:)/gu);
  return (text) => {
    const spans: Span[] = [];
    for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length)) spans.push([at, at + literal.length]);
    return spans;
  };
}

/** Each character of a class. */
export const charFinder = (one: RegExp): Finder => (text) => Array.from(text.matchAll(one), ({ 0: char, index }) => [index, index + char.length] as const);

/** The matches as Oniguruma's iterator gives them: an empty one right behind a match does not count. */
export function patternFinder(pattern: RegExp): Finder {
  return (text) => {
    const spans: Span[] = [];
    let last = -1;
    for (let at = 0; at <= text.length; ) {
      pattern.lastIndex = at;
      const found = pattern.exec(text);
      if (!found) break;
      const end = found.index + found[0].length;
      if (found[0] || end !== last) {
        spans.push([found.index, end]);
        at = last = end;
      } else at = end === at ? at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) : end;
    }
    return spans;
  };
}

/** `{"String": …}` or `{"Regex": …}` of Split and Replace. */
export function readFinder(json: Json): Finder {
  if (json.get('Regex').exists) return patternFinder(compilePattern(json.get('Regex').text(), { ruby: true }));
  return literalFinder(json.get('String').text());
}
