import type { Json } from '../json.js';
import { isKnownPattern } from '../patterns.js';
import { compilePattern, literalPattern, type Pattern } from '../regex.js';
import type { Finder, Span } from './piece.js';

/** The matches as Oniguruma's iterator gives them: an empty one right behind a match does not count. */
export const patternFinder = (pattern: Pattern): Finder => (text) => {
  const ends = pattern.spans(text);
  const spans = new Array<Span>(ends.length / 2);
  for (let i = 0; i < spans.length; i++) spans[i] = [ends[2 * i]!, ends[2 * i + 1]!];
  return spans;
};

/** Every place of a literal. An empty one is found at every character, as a pattern would be. */
export const literalFinder = (literal: string): Finder => patternFinder(literal ? literalPattern(literal) : compilePattern('(?:)'));

/** Each character of a class, which is compiled when first asked for. */
export function charFinder(one: string): Finder {
  let find: Finder | undefined;
  return (text) => (find ??= patternFinder(compilePattern(one, 'perl', true)))(text);
}

/** `{"String": …}` or `{"Regex": …}` of Split and Replace. */
export function readFinder(json: Json): Finder {
  const regex = json.get('Regex');
  if (regex.exists) return patternFinder(compilePattern(regex.text(), 'oniguruma', isKnownPattern(regex.text())));
  return literalFinder(json.get('String').text());
}
