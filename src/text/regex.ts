import { checkGrowth } from './growth.js';
import type { Pattern } from './pattern.js';
import type { Dialect } from './regex-parser.js';
import { atOnce, CHUNK, type Turns } from './turns.js';

export type { Pattern } from './pattern.js';

type Compiler = typeof import('./pattern-compiler.js');
let compiler: Compiler | undefined;

/** Loads what patterns need: before a tokenizer is described that may have some. */
export async function loadPatterns(): Promise<void> {
  compiler ??= await import('./pattern-compiler.js');
}

/** What loadPatterns has loaded. */
export function patterns(): Compiler {
  if (!compiler) throw new Error('loadPatterns has not been awaited');
  return compiler;
}

/**
 * A pattern of a tokenizer file: in Oniguruma's Ruby syntax as Python's tokenizers reads it, or ('perl') in that of PCRE and Rust.
 * `known`: one of our own, of which no text makes it run away.
 * @throws StonechatError `unsupported` for what an automaton cannot follow.
 */
export const compilePattern = (source: string, dialect: Dialect = 'oniguruma', known = false): Pattern => patterns().compile(source, dialect, known);

/** A literal string as a pattern. */
export const literalPattern = (source: string): Pattern => ({ source, spans: (text) => atOnce(literalSpans(source, text)), spansInTurns: (text) => literalSpans(source, text) });

function* literalSpans(source: string, text: string): Turns<number[]> {
  const spans: number[] = [];
  let turn = CHUNK;
  for (let at = source ? text.indexOf(source) : -1; at >= 0; at = text.indexOf(source, at + source.length)) {
    spans.push(at, at + source.length);
    if (at < turn) continue;
    yield at;
    turn = at + CHUNK;
  }
  return spans;
}

export const escapeLiteral = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

/** The text with all matches replaced. */
export function replaceAll(pattern: Pattern, text: string, content: string): string {
  const spans = pattern.spans(text);
  if (!spans.length) return text;
  checkGrowth(text.length, text.length + (spans.length / 2) * content.length);
  const out: string[] = [];
  let done = 0;
  for (let i = 0; i < spans.length; i += 2) {
    if (spans[i]! > done) out.push(text.slice(done, spans[i]));
    out.push(content);
    done = spans[i + 1]!;
  }
  out.push(text.slice(done));
  return out.join('');
}
