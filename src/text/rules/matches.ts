import type { Json } from '../json.js';
import type { Pattern } from '../pattern.js';
import { isKnownPattern } from '../patterns.js';
import { compilePattern, literalPattern } from '../regex.js';
import { CHUNK } from '../turns.js';

/** Every place of a literal. An empty one is found at every character, as a pattern would be. */
export const literal = (text: string): Pattern => (text ? literalPattern(text) : compilePattern('(?:)'));

/** Each character of a class, which is compiled when first asked for. */
export function characterOf(source: string): Pattern {
  let pattern: Pattern | undefined;
  const compiled = () => (pattern ??= compilePattern(source, 'perl', true));
  return {
    source,
    spans: (text) => compiled().spans(text),
    *spansInTurns(text) {
      const spans: number[] = [];
      for (let from = 0, to = 0; from < text.length; from = to) {
        to = Math.min(text.length, from + CHUNK);
        if (text.codePointAt(to - 1)! > 0xffff) to++;
        for (const place of compiled().spans(text.slice(from, to))) spans.push(from + place);
        yield to;
      }
      return spans;
    },
  };
}

/** `{"String": …}` or `{"Regex": …}` of Split and Replace. */
export function readPattern(json: Json): Pattern {
  const regex = json.get('Regex');
  if (regex.exists) return compilePattern(regex.text(), 'oniguruma', isKnownPattern(regex.text()));
  return literal(json.get('String').text());
}
