import { JinjaError } from './meter.js';
import { trimmedEnd, WS } from './str.js';

/** `data` is text; `begin` and `end` are {{ }} ('variable') or {% %} ('block'); operators have their own writing as kind. */
export interface Token {
  readonly kind: string;
  readonly text: string;
  readonly line: number;
}

export const syntax = (message: string, line?: number): JinjaError => new JinjaError('syntax', line === undefined ? message : `${message}, line ${line}`);

const rule = (source: string, flags = ''): RegExp => new RegExp(source.replaceAll('~', `[${WS}]*`), `uy${flags}`);

const BEGIN = new RegExp(`\\{%([-+]?)~raw~(?:-%\\}~|%\\})|\\{\\{([-+]?)|\\{#([-+]?)|\\{%([-+]?)`.replaceAll('~', `[${WS}]*`), 'gu');
const END_RAW = new RegExp(`\\{%([-+]?)~endraw~(?:\\+%\\}|-%\\}~|%\\}\\n?)`.replaceAll('~', `[${WS}]*`), 'gu');
const END_COMMENT = new RegExp(`\\+#\\}|-#\\}~|#\\}\\n?`.replaceAll('~', `[${WS}]*`), 'gu');
const END_BLOCK = rule('(?:\\+%\\}|-%\\}~|%\\}\\n?)');
const END_VARIABLE = rule('-\\}\\}~|\\}\\}');

const RULES: readonly (readonly [string, RegExp])[] = [
  ['space', rule(`[${WS}]+`)],
  ['float', rule('(?<!\\.)(?:\\d+_)*\\d+(?:(?:\\.(?:\\d+_)*\\d+)?e[+-]?(?:\\d+_)*\\d+|\\.(?:\\d+_)*\\d+)', 'i')],
  ['integer', rule('0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\\da-f])+|[1-9](?:_?\\d)*|0(?:_?0)*', 'i')],
  ['name', rule('[\\p{ID_Continue}\\p{N}]+')],
  ['string', rule(`'(?:[^'\\\\]|\\\\[^])*'|"(?:[^"\\\\]|\\\\[^])*"`)],
  ['operator', rule('//|\\*\\*|==|!=|>=|<=|[-+/*%~\\[\\](){}><=.:|,;]'.replace('~', '\\x7e'))],
];
const CLOSING: Readonly<Record<string, string>> = { '{': '}', '(': ')', '[': ']' };
const SPACE_ONLY = new RegExp(`^[${WS}]+$`, 'u');

/** What Jinja takes as one line end, and the mark that some editors put before a text. */
export const unified = (source: string): string => source.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n');

/** A template's text to tokens: with trim_blocks and lstrip_blocks, as transformers sets them. */
export class Lexer {
  private readonly tokens: Token[] = [];
  private readonly source: string;
  private at = 0;
  private line = 1;
  private lineStarts = true;

  constructor(source: string) {
    this.source = unified(source).replace(/\n$/, '');
  }

  run(): Token[] {
    while (this.at < this.source.length) this.root();
    this.push('eof', '');
    return this.tokens;
  }

  private push(kind: string, text: string): void {
    if (text || kind !== 'data') this.tokens.push({ kind, text, line: this.line });
  }

  private move(to: number): string {
    const passed = this.source.slice(this.at, to);
    for (let i = passed.indexOf('\n'); i >= 0; i = passed.indexOf('\n', i + 1)) this.line++;
    this.lineStarts = passed.endsWith('\n');
    this.at = to;
    return passed;
  }

  /** Text up to a tag, less the white space that the tag takes away. */
  private data(text: string, sign: string, variable: boolean): string {
    if (sign === '-') return text.slice(0, trimmedEnd(text));
    if (sign === '+' || variable) return text;
    const last = text.lastIndexOf('\n') + 1;
    return (last > 0 || this.lineStarts) && SPACE_ONLY.test(text.slice(last)) ? text.slice(0, last) : text;
  }

  private root(): void {
    BEGIN.lastIndex = this.at;
    const found = BEGIN.exec(this.source);
    if (!found) return this.push('data', this.move(this.source.length));
    const [, raw, variable, comment, block] = found;
    const sign = raw ?? variable ?? comment ?? block!;
    this.push('data', this.data(this.source.slice(this.at, found.index), sign, variable !== undefined));
    this.move(found.index + found[0].length);
    if (raw !== undefined) this.raw();
    else if (comment !== undefined) this.skip(END_COMMENT, 'Missing end of comment tag');
    else if (variable !== undefined) this.code('variable', END_VARIABLE);
    else this.code('block', END_BLOCK);
  }

  private skip(end: RegExp, missing: string): RegExpExecArray {
    end.lastIndex = this.at;
    const found = end.exec(this.source);
    if (!found) throw syntax(missing, this.line);
    this.move(found.index + found[0].length);
    return found;
  }

  private raw(): void {
    const start = this.at;
    const starts = this.lineStarts;
    const line = this.line;
    const found = this.skip(END_RAW, 'Missing end of raw directive');
    const after = this.lineStarts;
    this.lineStarts = starts;
    this.tokens.push({ kind: 'data', text: this.data(this.source.slice(start, found.index), found[1]!, false), line });
    this.lineStarts = after;
  }

  /** Between {{ and }}, or {% and %}. */
  private code(kind: string, end: RegExp): void {
    this.push('begin', kind);
    const open: string[] = [];
    while (this.at < this.source.length) {
      end.lastIndex = this.at;
      const closes = open.length ? null : end.exec(this.source);
      if (closes) {
        this.push('end', kind);
        this.move(this.at + closes[0].length);
        return;
      }
      this.one(open);
    }
  }

  private one(open: string[]): void {
    for (const [kind, pattern] of RULES) {
      pattern.lastIndex = this.at;
      const found = pattern.exec(this.source);
      if (!found) continue;
      const [text] = found;
      if (kind === 'operator') this.balance(text, open);
      if (kind === 'name' && !/^[\p{ID_Start}_]\p{ID_Continue}*$/u.test(text)) throw syntax('Invalid character in identifier', this.line);
      if (kind !== 'space') this.push(kind === 'operator' ? text : kind, kind === 'string' ? unescaped(text.slice(1, -1), this.line) : text);
      this.move(this.at + text.length);
      return;
    }
    throw syntax(`unexpected char ${JSON.stringify(this.source[this.at])} at ${this.at}`, this.line);
  }

  private balance(text: string, open: string[]): void {
    if (CLOSING[text]) open.push(CLOSING[text]);
    else if ('})]'.includes(text)) {
      const expected = open.pop();
      if (expected !== text) throw syntax(`unexpected '${text}'${expected ? `, expected '${expected}'` : ''}`, this.line);
    }
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v', '\n': '', '\\': '\\', "'": "'", '"': '"' };

/** Python's escapes in a string. */
function unescaped(text: string, line: number): string {
  return text.replace(/\\(?:([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([^]))/gu, (all, octal, byte, short, long, char: string | undefined) => {
    if (char !== undefined && 'xuUN'.includes(char)) throw syntax(`the escape ${all} is cut short or not known`, line);
    if (char !== undefined) return ESCAPES[char] ?? all;
    const code = octal ? Number.parseInt(octal, 8) : Number.parseInt(byte ?? short ?? long, 16);
    if (code > 0x10ffff) throw syntax('illegal Unicode character', line);
    return String.fromCodePoint(code);
  });
}
