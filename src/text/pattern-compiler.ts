import { StonechatError } from '../errors.js';
import { Automaton } from './automaton.js';
import { parsePattern, PatternError, type Dialect, type Node } from './regex-parser.js';
import { compileProgram } from './regex-program.js';
import { scriptPattern, scriptSpans, scriptSpansInTurns } from './regex-script.js';
import type { Pattern } from './pattern.js';

/** Loaded on demand (see regex.ts): Unicode's tables and the automaton, for those tokenizers that have patterns of their own. */

export { isIn, property } from './unicode.js';

const KEPT = 64;
const cache = new Map<string, Pattern>();

/** `known` not to run away: half as fast again in the JavaScript engine. @throws StonechatError `unsupported`, naming the pattern. */
export function compile(source: string, dialect: Dialect, known = false): Pattern {
  const key = `${dialect} ${known} ${source}`;
  const found = cache.get(key) ?? make(source, dialect, known);
  cache.delete(key);
  cache.set(key, found);
  if (cache.size > KEPT) cache.delete(cache.keys().next().value!);
  return found;
}

function make(source: string, dialect: Dialect, known: boolean): Pattern {
  try {
    const tree = parsePattern(source, dialect);
    if (known) return scripted(source, tree);
    const automaton = new Automaton(compileProgram(tree));
    return { source, spans: (text) => automaton.spans(text), spansInTurns: (text) => automaton.spansInTurns(text) };
  } catch (cause) {
    if (!(cause instanceof PatternError || cause instanceof RangeError)) throw cause;
    throw new StonechatError({
      code: 'unsupported',
      expected: 'a pattern that an automaton can follow: no back references, recursion, conditions, \\G, \\K or \\X',
      found: `${cause instanceof PatternError ? cause.message : 'too many levels'} in ${JSON.stringify(source.slice(0, 200))}`,
      remedy: 'Use the GGUF form of this model, or report its tokenizer.',
      cause,
    });
  }
}

/** In JavaScript's own engine; a repetition may be longer than that one's stack holds. */
function scripted(source: string, tree: Node): Pattern {
  const pattern = scriptPattern(tree);
  let automaton: Automaton | undefined;
  const own = (error: unknown): Automaton => {
    if (!(error instanceof RangeError)) throw error;
    return (automaton ??= new Automaton(compileProgram(tree)));
  };
  return {
    source,
    spans(text) {
      try {
        return scriptSpans(pattern, text);
      } catch (error) {
        return own(error).spans(text);
      }
    },
    *spansInTurns(text) {
      try {
        return yield* scriptSpansInTurns(pattern, text);
      } catch (error) {
        return yield* own(error).spansInTurns(text);
      }
    },
  };
}
