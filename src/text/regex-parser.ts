import { complement, EVERYTHING, has, intersection, range, single, union, type CodeSet } from './code-set.js';
import { folds, foldSet, posixBracket, property } from './unicode.js';

/** A pattern as a tree. */
export type Node =
  | { kind: 'set'; set: CodeSet }
  | { kind: 'sequence'; parts: readonly Node[] }
  | { kind: 'choice'; parts: readonly Node[] }
  | { kind: 'repeat'; body: Node; least: number; most: number; lazy: boolean }
  | { kind: 'atomic'; body: Node }
  | { kind: 'look'; body: Node; behind: boolean; negative: boolean };

/**
 * 'oniguruma': Ruby's syntax as Oniguruma 6.9 reads it, which is what Python's tokenizers gives it. 'perl': as PCRE and Rust's
 * regex read it, the writing of tiktoken and llama.cpp: ^ and $ are the ends of the text, {1,3}+ is possessive, \u{…} a character.
 */
export type Dialect = 'oniguruma' | 'perl';

/** What a pattern says that an automaton cannot follow, or that is no pattern. */
export class PatternError extends Error {}

const EMPTY: Node = { kind: 'sequence', parts: [] };
const NEWLINE = single(10);
const setOf = (set: CodeSet): Node => ({ kind: 'set', set });
const look = (set: CodeSet, behind: boolean, negative = false): Node => ({ kind: 'look', body: setOf(set), behind, negative });
const sequence = (...parts: Node[]): Node => (parts.length === 1 ? parts[0]! : { kind: 'sequence', parts });
const choice = (...parts: Node[]): Node => (parts.length === 1 ? parts[0]! : { kind: 'choice', parts });

const TEXT_START = look(EVERYTHING, true, true);
const TEXT_END = look(EVERYTHING, false, true);
/** Oniguruma's ^ does not stand at the end of the text, behind its last line's end. */
const LINE_START = choice(TEXT_START, sequence(look(NEWLINE, true), look(EVERYTHING, false)));
const LINE_END = choice(TEXT_END, look(NEWLINE, false));
const BEFORE_LAST_NEWLINE = choice(TEXT_END, { kind: 'look', body: sequence(setOf(NEWLINE), TEXT_END), behind: false, negative: false });
const GENERAL_NEWLINE: Node = { kind: 'atomic', body: choice(sequence(setOf(single(13)), setOf(NEWLINE)), setOf([10, 14, 0x85, 0x86, 0x2028, 0x202a])) };
const LARGEST_COUNT = 100_000;
const DEEPEST = 200;

interface Options {
  fold: boolean;
  /** The dot takes line ends too. */
  dotAll: boolean;
  /** White space and # comments mean nothing. */
  extended: boolean;
}

/** What stands for one character of a class, or for several: \w, [:alpha:], an inner class. */
interface Member {
  set: CodeSet;
  code?: number;
}

const CONTROL: Record<string, number> = { n: 10, t: 9, r: 13, f: 12, v: 11, a: 7, e: 27 };
const SHORTHANDS: Record<string, string> = { w: 'word', d: 'nd', s: 'space', h: 'xdigit' };

export const parsePattern = (source: string, dialect: Dialect): Node => new Parser(source, dialect).run();

class Parser {
  private at = 0;
  private depth = 0;
  private readonly chars: readonly string[];

  constructor(source: string, private readonly dialect: Dialect) {
    this.chars = [...source];
  }

  run(): Node {
    const node = this.choice({ fold: false, dotAll: false, extended: false });
    if (this.at < this.chars.length) throw new PatternError('a ) without (');
    return node;
  }

  private peek(length = 1): string {
    return length === 1 ? (this.chars[this.at] ?? '') : this.chars.slice(this.at, this.at + length).join('');
  }

  /** Takes what the pattern (anchored by `y`) matches here. */
  private take(pattern: RegExp, ahead = 40): RegExpExecArray | undefined {
    const found = pattern.exec(this.peek(ahead));
    if (!found || found.index) return undefined;
    this.at += [...found[0]].length;
    return found;
  }

  private choice(options: Options): Node {
    if (++this.depth > DEEPEST) throw new PatternError(`more than ${DEEPEST} levels of groups`);
    const parts = [this.branch(options)];
    while (this.peek() === '|') {
      this.at++;
      parts.push(this.branch(options));
    }
    this.depth--;
    return choice(...parts);
  }

  private branch(options: Options): Node {
    const parts: Node[] = [];
    for (;;) {
      if (options.extended) while (this.take(/^(?:[ \t\n\r\f\v]|#[^\n]*\n?)/, this.chars.length));
      const char = this.peek();
      if (char === '' || char === '|' || char === ')') return sequence(...parts);
      const inner = this.switchedOptions(options);
      // (?i) in the middle: all that follows in its group, other branches included.
      if (inner) return sequence(...parts, this.choice(inner));
      const literal = options.fold ? this.foldedLiteral(options) : undefined;
      if (literal) parts.push(...literal);
      else {
        const atom = this.atom(options);
        if (atom) parts.push(this.quantified(atom, options));
      }
    }
  }

  /** `(?i)`, `(?m-x)`: the options from here on. */
  private switchedOptions(options: Options): Options | undefined {
    const found = this.take(/^\(\?([imsx]*)(-[imsx]*)?\)/);
    return found && this.changed(options, found[1]!, found[2] ?? '');
  }

  private changed(options: Options, on: string, off: string): Options {
    const all = this.dialect === 'perl' ? 's' : 'm';
    const wrong = this.dialect === 'perl' ? 'm' : 's';
    if ((on + off).includes(wrong)) throw new PatternError(`the option ${wrong}`);
    const now = (letter: string, before: boolean) => !off.includes(letter) && (on.includes(letter) || before);
    return { fold: now('i', options.fold), dotAll: now(all, options.dotAll), extended: now('x', options.extended) };
  }

  private quantified(atom: Node, options: Options): Node {
    let node = atom;
    for (;;) {
      if (options.extended) while (this.take(/^[ \t\n\r\f\v]/));
      const next = this.quantifier(node);
      if (!next) return node;
      node = next;
    }
  }

  private quantifier(body: Node): Node | undefined {
    const sign = this.take(/^[?*+][?+]?/)?.[0];
    if (sign) return repeat(body, sign[0] === '+' ? 1 : 0, sign[0] === '?' ? 1 : Infinity, sign[1]);
    const found = this.take(this.dialect === 'perl' ? /^\{(\d+)(,?)(\d*)\}/ : /^\{(?=,?\d)(\d*)(,?)(\d*)\}/);
    if (!found) return undefined;
    const least = Number(found[1]);
    const most = found[2] ? (found[3] ? Number(found[3]) : Infinity) : least;
    if (least > LARGEST_COUNT || (most > LARGEST_COUNT && most !== Infinity)) throw new PatternError(`a repetition beyond ${LARGEST_COUNT}`);
    // Oniguruma: {3,1} is {1,3} without giving back, {2}? may be left out, {1,3}+ repeats the whole.
    if (least > most) return repeat(body, most, least, '+');
    if (this.dialect === 'perl') return repeat(body, least, most, this.take(/^[?+]/)?.[0]);
    return repeat(body, least, most, found[2] ? this.take(/^\?/)?.[0] : undefined);
  }

  /** Undefined for what matches nothing at all and cannot be repeated: a comment. */
  private atom(options: Options): Node | undefined {
    const char = this.peek();
    if (char === '(') return this.group(options);
    if (char === '[') return this.bracket(options);
    if (char === '\\') return this.escape(options);
    if ('?*+'.includes(char)) throw new PatternError(`${char} with nothing to repeat`);
    this.at++;
    if (char === '^') return this.dialect === 'perl' ? TEXT_START : LINE_START;
    if (char === '$') return this.dialect === 'perl' ? TEXT_END : LINE_END;
    if (char === '.') return setOf(options.dotAll ? EVERYTHING : complement(NEWLINE));
    return literalOf(char.codePointAt(0)!, options.fold);
  }

  private group(options: Options): Node | undefined {
    if (this.peek(3) === '(?#') {
      while (this.at < this.chars.length && this.peek() !== ')') this.at += this.peek() === '\\' ? 2 : 1;
      this.at++;
      return undefined;
    }
    const found = this.take(/^\((?:\?(?:(?<look><?[=!])|(?<atomic>>)|(?<on>[imsx]*)(?<off>-[imsx]*)?:|P?<[^=!>][^>]*>|'[^']*'))?/, 80)!;
    if (found[0] === '(' && /^[?*]/.test(this.peek())) throw new PatternError(`the group (${this.peek(3)}`);
    if (this.dialect === 'oniguruma' && found[0].startsWith('(?P')) throw new PatternError('the group (?P');
    const { look: kind, atomic, on, off } = found.groups!;
    const body = this.choice(on === undefined ? options : this.changed(options, on, off ?? ''));
    if (this.peek() !== ')') throw new PatternError('a ( without )');
    this.at++;
    if (atomic) return { kind: 'atomic', body };
    if (kind) return { kind: 'look', body, behind: kind.startsWith('<'), negative: kind.endsWith('!') };
    return body;
  }

  private escape({ fold }: Options): Node {
    const letter = this.chars[this.at + 1];
    if (letter === undefined) throw new PatternError('a \\ at the end');
    const simple = this.simpleEscape(letter);
    if (simple) {
      this.at += 2;
      return simple;
    }
    if (/[1-9kgGKXyY]/.test(letter)) throw new PatternError(`\\${letter}`);
    const { set, code } = this.escaped(false);
    return code === undefined ? setOf(set) : literalOf(code, fold);
  }

  private simpleEscape(letter: string): Node | undefined {
    if (letter === 'A') return TEXT_START;
    if (letter === 'z') return TEXT_END;
    if (letter === 'Z') return BEFORE_LAST_NEWLINE;
    if (letter === 'R') return GENERAL_NEWLINE;
    if (letter === 'N') return setOf(complement(NEWLINE));
    if (letter === 'O') return setOf(EVERYTHING);
    if (!/[bBwW]/.test(letter)) return undefined;
    const word = property(this.dialect === 'perl' ? 'wordperl' : 'wordalone')!;
    if (letter === 'b') return choice(sequence(look(word, true), look(word, false, true)), sequence(look(word, true, true), look(word, false)));
    if (letter === 'B') return choice(sequence(look(word, true), look(word, false)), sequence(look(word, true, true), look(word, false, true)));
    if (letter === 'w') return setOf(word);
    return setOf(complement(word));
  }

  /** An escape that means the same inside of brackets and outside: a character, a shorthand, a property. */
  private escaped(inside: boolean): Member {
    const found = this.take(/^\\(?:([pP])\{(\^?)([^}]*)\}|x\{([0-9A-Fa-f]{1,8})\}|u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|o\{([0-7]{1,11})\}|([0-7]{1,3})|x([0-9A-Fa-f]{0,2})|(?:c|C-)(\\?.)|(.))/s)!;
    if (found[1]) return { set: this.property(found[1] === 'P', found[2] === '^', found[3]!, inside) };
    const hex = found[4] ?? found[5] ?? found[6];
    if ((found[5] ?? found[6]) && this.dialect === 'oniguruma') return this.letter('u', found[0].length - 2);
    if (hex) return character(Number.parseInt(hex, 16));
    if (found[7] ?? found[8]) return character(Number.parseInt((found[7] ?? found[8])!, 8));
    if (found[9] !== undefined) return this.byte(found[9]);
    if (found[10]) return character(found[10].codePointAt(found[10].length - 1)! & 0x1f);
    return this.shorthand(found[11]!, inside);
  }

  /** In Oniguruma \u is the letter: gives back what was read too much. */
  private letter(char: string, back: number): Member {
    this.at -= back;
    return character(char.codePointAt(0)!);
  }

  private shorthand(letter: string, inside: boolean): Member {
    if (Object.hasOwn(SHORTHANDS, letter.toLowerCase())) {
      const name = SHORTHANDS[letter.toLowerCase()]!;
      const set = property(name === 'word' && this.dialect === 'perl' ? 'wordperl' : name)!;
      return { set: letter === letter.toLowerCase() ? set : complement(set) };
    }
    if (letter === 'M') throw new PatternError('\\M');
    if (inside && letter === 'b') return character(8);
    if (this.dialect === 'perl' && /[A-Za-z]/.test(letter) && !Object.hasOwn(CONTROL, letter)) throw new PatternError(`\\${letter}`);
    return character(Object.hasOwn(CONTROL, letter) ? CONTROL[letter]! : letter.codePointAt(0)!);
  }

  /** Bytes from 0x80 on are those of UTF-8, which must be whole. */
  private byte(hex: string): Member {
    const bytes = [Number.parseInt(hex || '0', 16)];
    if (!hex) return character(0x78);
    if (bytes[0]! < 0x80 || this.dialect === 'perl') return character(bytes[0]!);
    for (let more = bytes[0]! >= 0xf0 ? 3 : bytes[0]! >= 0xe0 ? 2 : 1; more > 0; more--) {
      const next = this.take(/^\\x([89ABab][0-9A-Fa-f])/);
      if (!next) throw new PatternError(`\\x${hex} without the rest of its character`);
      bytes.push(Number.parseInt(next[1]!, 16));
    }
    return character(new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes)).codePointAt(0)!);
  }

  private property(negated: boolean, circumflex: boolean, name: string, inside: boolean): CodeSet {
    const plain = this.dialect === 'perl' ? name.replace(/^(?:Is|sc(?:ript)?=)/i, '') : name;
    const set = property(!inside && /^word$/i.test(plain) ? 'wordalone' : plain);
    if (!set) throw new PatternError(`the property ${name}`);
    return negated !== circumflex ? complement(set) : set;
  }

  private bracket({ fold }: Options): Node {
    const { set, negated } = this.brackets();
    if (!fold) return setOf(negated ? complement(set) : set);
    const folded = foldSet(set);
    if (negated) return setOf(complement(folded));
    const long = [...folds().long].filter(([code]) => has(set, code)).map(([, codes]) => sequence(...codes.map((code) => literalOf(code, true, true))));
    return choice(setOf(folded), ...long);
  }

  /** `[…]`, with inner brackets and && of them. */
  private brackets(): { set: CodeSet; negated: boolean } {
    if (++this.depth > DEEPEST) throw new PatternError(`more than ${DEEPEST} levels of brackets`);
    this.at++;
    const negated = this.peek() === '^';
    if (negated) this.at++;
    let whole: CodeSet | undefined;
    let part: CodeSet = [];
    for (let first = true; first || this.peek() !== ']'; first = false) {
      if (this.peek() === '') throw new PatternError('a [ without ]');
      if (this.peek() === ']' && !this.chars.includes(']', this.at + 1)) throw new PatternError('empty brackets');
      if (this.peek(2) === '&&') {
        this.at += 2;
        whole = whole ? intersection(whole, part) : part;
        part = [];
      } else part = union(part, this.rangeOrMember(first));
    }
    this.at++;
    this.depth--;
    return { set: whole ? intersection(whole, part) : part, negated };
  }

  private rangeOrMember(first: boolean): CodeSet {
    const from = this.member(first);
    if (from.code === undefined || this.peek() !== '-' || this.chars[this.at + 1] === ']' || this.chars[this.at + 1] === undefined) return from.set;
    if (this.peek(3) === '-&&') return from.set;
    this.at++;
    const to = this.member(false);
    if (to.code === undefined || to.code < from.code) throw new PatternError('an empty range in brackets');
    return range(from.code, to.code);
  }

  private member(first: boolean): Member {
    const posix = this.take(/^\[:(\^?)(\w+):\]/);
    if (posix) {
      const set = posixBracket(posix[2]!);
      if (!set) throw new PatternError(`[:${posix[2]}:]`);
      return { set: posix[1] ? complement(set) : set };
    }
    const char = this.peek();
    if (char === '') throw new PatternError('a [ without ]');
    if (char === '[' && !(first && this.dialect === 'perl')) {
      const { set, negated } = this.brackets();
      return { set: negated ? complement(set) : set };
    }
    if (char === '\\') {
      if (this.chars[this.at + 1] === undefined) throw new PatternError('a \\ at the end');
      return this.escaped(true);
    }
    this.at++;
    return character(char.codePointAt(0)!);
  }

  /** Letters in a row under (?i): ss is ß too. Only where several letters are one; a quantifier takes the last letter alone. */
  private foldedLiteral({ extended }: Options): Node[] | undefined {
    if (extended) return undefined;
    const plain = /^[^\\^$.*+?()[\]{}|]+/.exec(this.peek(64))?.[0];
    if (!plain) return undefined;
    const letters = [...plain];
    const quantified = /^(?:[?*+]|\{,?\d)/.test(this.chars.slice(this.at + letters.length, this.at + letters.length + 3).join(''));
    if (quantified) letters.pop();
    if (letters.length < 2) return undefined;
    this.at += letters.length;
    return foldedWord(letters.map((letter) => letter.codePointAt(0)!));
  }
}

const character = (code: number): Member => {
  if (!(code <= 0x10ffff)) throw new PatternError('a code point beyond U+10FFFF');
  return { set: single(code), code };
};

/** A letter; under (?i) in all its cases, and as what it folds to if that is several. `short`: only one for one. */
function literalOf(code: number, fold: boolean, short = false): Node {
  if (!fold) return setOf(single(code));
  const all = setOf(foldSet(single(code)));
  const long = short ? undefined : folds().long.get(code);
  if (!long) return all;
  const twins = [...folds().long].filter(([, codes]) => codes.join() === long.join()).map(([twin]) => single(twin));
  return choice(setOf(twins.reduce(union, all.kind === 'set' ? all.set : [])), foldedSequence(long));
}

const foldedSequence = (codes: readonly number[]): Node => sequence(...codes.map((code) => literalOf(code, true, true)));

/** A row of letters under (?i), with the characters that fold to several of them. */
function foldedWord(codes: readonly number[]): Node[] {
  const ends: Node[] = [];
  const from = (at: number): Node => {
    if (at === codes.length) return EMPTY;
    const ways = [...folds().long].filter(([, long]) => long.every((code, i) => at + i < codes.length && sameFold(code, codes[at + i]!)));
    const rest = (next: number) => (ends[next] ??= from(next));
    const plain = sequence(literalOf(codes[at]!, true), rest(at + 1));
    if (!ways.length) return plain;
    return choice(plain, ...ways.map(([code, long]) => sequence(setOf(single(code)), rest(at + long.length))));
  };
  return [from(0)];
}

const sameFold = (a: number, b: number): boolean => a === b || (folds().circles.get(a)?.includes(b) ?? false);

function repeat(body: Node, least: number, most: number, mode: string | undefined): Node {
  const node: Node = { kind: 'repeat', body, least, most, lazy: mode === '?' };
  return mode === '+' ? { kind: 'atomic', body: node } : node;
}
