import { CODES, type CodeSet } from './code-set.js';
import type { Node } from './regex-parser.js';
import { CHUNK, type Turns } from './turns.js';

/**
 * A pattern as a JavaScript regular expression of the same meaning: sets by their code points, so that the engine's Unicode tables
 * do not matter; atomic groups by a look-ahead and a back reference. Only for patterns that are known not to run away.
 */
export function scriptPattern(tree: Node): RegExp {
  let groups = 0;
  const write = (node: Node): string => {
    switch (node.kind) {
      case 'set':
        return writeSet(node.set);
      case 'sequence':
        return node.parts.map(write).join('');
      case 'choice':
        return node.parts.length ? `(?:${node.parts.map(write).join('|')})` : '[]';
      case 'repeat':
        return `(?:${write(node.body)})${count(node)}${node.lazy ? '?' : ''}`;
      case 'look':
        return `(?${node.behind ? '<' : ''}${node.negative ? '!' : '='}${write(node.body)})`;
      case 'atomic': {
        const name = `a${groups++}`;
        return `(?:(?=(?<${name}>${write(node.body)}))\\k<${name}>)`;
      }
    }
  };
  return new RegExp(write(tree), 'gu');
}

const count = ({ least, most }: Node & { kind: 'repeat' }): string => {
  if (most === Infinity) return least === 0 ? '*' : least === 1 ? '+' : `{${least},}`;
  return least === 0 && most === 1 ? '?' : `{${least},${most}}`;
};

const escape = (code: number) => `\\u{${code.toString(16)}}`;

function writeSet(set: CodeSet): string {
  if (set.length === 2 && set[0] === 0 && set[1] === CODES) return '[^]';
  let out = '';
  for (let i = 0; i < set.length; i += 2) out += escape(set[i]!) + (set[i + 1]! - set[i]! > 1 ? `-${escape(set[i + 1]! - 1)}` : '');
  return `[${out}]`;
}

const NONE: readonly number[] = [];

/** As Automaton.spans. */
export function scriptSpans(pattern: RegExp, text: string): readonly number[] {
  pattern.lastIndex = 0;
  let found = pattern.exec(text);
  if (!found) return NONE;
  const spans: number[] = [];
  for (let last = -1; found; found = pattern.exec(text)) {
    const end = found.index + found[0].length;
    if (end > found.index || end !== last) spans.push(found.index, end);
    if (end === found.index) pattern.lastIndex = end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
    last = end;
  }
  return spans;
}

const MATCHES = 1 << 14;

/** As Automaton.spansInTurns. */
export function* scriptSpansInTurns(pattern: RegExp, text: string): Turns<number[]> {
  const spans: number[] = [];
  let [last, turn] = [-1, CHUNK];
  pattern.lastIndex = 0;
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    const end = found.index + found[0].length;
    if (found[0] || end !== last) spans.push(found.index, end);
    if (!found[0]) pattern.lastIndex = end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
    last = end;
    if (spans.length % MATCHES && end < turn) continue;
    turn = end + CHUNK;
    const at = pattern.lastIndex;
    yield end;
    pattern.lastIndex = at;
  }
  return spans;
}
