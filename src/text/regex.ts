import { StonechatError } from '../errors.js';

/**
 * Patterns of tokenizer files (Oniguruma, Rust regex, PCRE) as JavaScript regular expressions of the same meaning:
 *   \s \S \d \w \h         by Unicode properties, as there (JavaScript's \s holds U+FEFF and lacks U+0085)
 *   (?i:…)                 letters become classes with all their simple case folds
 *   X++ X?+ X*+ (?>…)      possessive and atomic parts, by a lookahead and a back reference
 *   \A \z \Z ^ $           anchors; `ruby` makes ^ and $ line anchors, as Oniguruma has them
 *   [[:punct:]] \p{Han} \pL \p{^L}   names
 */
export function compilePattern(source: string, { ruby = false } = {}): RegExp {
  try {
    return new RegExp(new Translator(source, ruby).run(), 'gu');
  } catch (cause) {
    if (cause instanceof StonechatError) throw cause;
    throw new StonechatError({
      code: 'unsupported',
      expected: 'a pre-tokenizer pattern that JavaScript can express',
      found: JSON.stringify(source.slice(0, 200)),
      remedy: 'Use the GGUF form of this model, or report its tokenizer.',
      cause,
    });
  }
}

/** A literal string as a pattern. */
export const literalPattern = (text: string): RegExp => new RegExp(escapeLiteral(text), 'gu');
export const escapeLiteral = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

const SHORTHANDS: Record<string, string> = {
  s: '\\p{White_Space}', d: '\\p{Nd}', h: '0-9A-Fa-f', w: '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}',
};
const POSIX: Record<string, string> = {
  alpha: '\\p{Alphabetic}', digit: '\\p{Nd}', alnum: '\\p{Alphabetic}\\p{Nd}', upper: '\\p{Uppercase}', lower: '\\p{Lowercase}',
  space: '\\p{White_Space}', punct: '\\p{P}$+<=>^`|~', cntrl: '\\p{Cc}', xdigit: '0-9A-Fa-f', word: SHORTHANDS.w!, blank: ' \\t',
};
const SCRIPTS = /^(?:Is)?(Han|Hiragana|Katakana|Hangul|Latin|Cyrillic|Greek|Arabic|Hebrew|Thai|Devanagari|Bengali|Tamil|Telugu)$/;
/** Letters whose simple case fold comes from more than two characters. */
const EXTRA_FOLDS: Record<string, string> = { s: '\u017f', k: '\u212a' };

class Translator {
  private at = 0;
  private atomic = 0;
  private readonly chars: string[];

  constructor(source: string, private readonly ruby: boolean) {
    this.chars = [...source];
  }

  run(): string {
    let fold = false;
    if (this.peek(4) === '(?i)') {
      this.at += 4;
      fold = true;
    }
    const out = this.alternatives(fold);
    if (this.at < this.chars.length) throw new SyntaxError('unmatched )');
    return out;
  }

  private peek(length: number): string {
    return this.chars.slice(this.at, this.at + length).join('');
  }

  private alternatives(fold: boolean): string {
    let out = '';
    while (this.at < this.chars.length && this.chars[this.at] !== ')') {
      if (this.chars[this.at] === '|') {
        out += '|';
        this.at++;
      } else out += this.quantified(this.atom(fold));
    }
    return out;
  }

  private quantified(atom: string): string {
    const count = /^(?:[?*+]|\{\d+(?:,\d*)?\})/.exec(this.peek(16))?.[0];
    if (!count) return atom;
    this.at += count.length;
    const mode = this.chars[this.at];
    if (mode === '?' || mode === '+') this.at++;
    if (mode === '+') return this.atomicGroup(atom + count);
    return atom + count + (mode === '?' ? '?' : '');
  }

  private atomicGroup(body: string): string {
    const name = `atomic${this.atomic++}`;
    return `(?:(?=(?<${name}>${body}))\\k<${name}>)`;
  }

  private atom(fold: boolean): string {
    const char = this.chars[this.at]!;
    if (char === '(') return this.group(fold);
    if (char === '[') return this.charClass(fold);
    if (char === '\\') return this.escape(fold);
    if ('?*+'.includes(char)) throw new SyntaxError(`nothing to repeat by ${char}`);
    this.at++;
    if (char === '^') return this.ruby ? '(?<=\\n|(?<![^]))' : '^';
    if (char === '$') return this.ruby ? '(?=\\n|(?![^]))' : '$';
    if (char === '.') return '[^\\n]';
    return literal(char, fold);
  }

  private group(fold: boolean): string {
    const kind = /^\((?:\?(?:<?[=!]|>|i?:|P?<\w+>))?/.exec(this.peek(40))![0];
    this.at += kind.length;
    if (kind === '(' && this.chars[this.at] === '?') throw new SyntaxError(`group ${this.peek(4)}`);
    const inner = this.alternatives(fold || kind.startsWith('(?i'));
    if (this.chars[this.at++] !== ')') throw new SyntaxError('missing )');
    if (kind === '(?>') return this.atomicGroup(inner);
    const opening = kind === '(?i:' ? '(?:' : kind.replace('?P<', '?<');
    return `${opening}${inner})`;
  }

  private escape(fold: boolean): string {
    const letter = this.chars[this.at + 1] ?? '';
    if (letter === 'A') return this.take(2, '(?<![^])');
    if (letter === 'z' || letter === 'Z') return this.take(2, '(?![^])');
    if (letter === 'b' || letter === 'B' || /[1-9k]/.test(letter)) return this.take(2, `\\${letter}`);
    if (/[sdhw]/i.test(letter)) {
      return this.take(2, `[${letter === letter.toLowerCase() ? '' : '^'}${SHORTHANDS[letter.toLowerCase()]}]`);
    }
    return this.member(fold);
  }

  /** An escape that means one character or property, in a class or outside. */
  private member(fold: boolean): string {
    const letter = this.chars[this.at + 1] ?? '';
    if (letter === 'p' || letter === 'P') return this.property(letter);
    const code = /^\\(?:x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})|u\{([0-9A-Fa-f]+)\}|u([0-9A-Fa-f]{4}))/.exec(this.peek(12));
    if (code) return this.take(code[0].length, `\\u{${code[1] ?? code[2] ?? code[3] ?? code[4]}}`);
    if (/[nrtfv0]/.test(letter)) return this.take(2, `\\${letter}`);
    if (/[A-Za-z]/.test(letter) || letter === '') throw new SyntaxError(`escape \\${letter}`);
    return this.take(2, literal(letter, fold));
  }

  private property(letter: string): string {
    const found = /^\\[pP](?:\{(\^?)([\w=]+)\}|(\w))/.exec(this.peek(40));
    if (!found) throw new SyntaxError('property');
    const negated = (letter === 'P') !== (found[1] === '^');
    const name = found[2] ?? found[3]!;
    const script = SCRIPTS.exec(name);
    return this.take(found[0].length, `\\${negated ? 'P' : 'p'}{${script ? `Script=${script[1]}` : name}}`);
  }

  private charClass(fold: boolean): string {
    this.at++;
    let out = '[';
    if (this.chars[this.at] === '^') out += this.take(1, '^');
    for (let first = true; first || this.chars[this.at] !== ']'; first = false) {
      const char = this.chars[this.at];
      if (char === undefined) throw new SyntaxError('missing ]');
      const posix = /^\[:(\w+):\]/.exec(this.peek(12));
      if (posix && POSIX[posix[1]!]) out += this.take(posix[0].length, POSIX[posix[1]!]!);
      else if (char === '[' || this.peek(2) === '&&') throw new SyntaxError('nested class');
      else if (char === '\\') out += this.classEscape();
      else out += fold ? this.foldedMember(char) : this.take(1, classLiteral(char));
    }
    this.at++;
    return `${out}]`;
  }

  /** A letter or a range of letters of a class, in both cases. */
  private foldedMember(char: string): string {
    const range = /^[A-Za-z]-[A-Za-z]/.exec(this.peek(3))?.[0] ?? char;
    const extra = range === char ? (EXTRA_FOLDS[char.toLowerCase()] ?? '') : Object.values(EXTRA_FOLDS).join('');
    const lower = range.toLowerCase();
    return this.take(range.length, lower === range.toUpperCase() ? classLiteral(char) : lower + range.toUpperCase() + extra);
  }

  private classEscape(): string {
    const letter = this.chars[this.at + 1] ?? '';
    if (/[sdhw]/.test(letter)) return this.take(2, SHORTHANDS[letter]!);
    if (letter === 'S' || letter === 'D') return this.take(2, SHORTHANDS[letter.toLowerCase()]!.replace('\\p', '\\P'));
    if (letter === '-') return this.take(2, '\\-');
    return this.member(false);
  }

  private take(length: number, text: string): string {
    this.at += length;
    return text;
  }
}

const classLiteral = (char: string) => (/[\^$\\.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char);

function literal(char: string, fold: boolean): string {
  const lower = char.toLowerCase();
  const upper = char.toUpperCase();
  if (!fold || lower === upper || [...upper].length > 1) return escapeLiteral(char);
  return `[${lower}${upper}${EXTRA_FOLDS[lower] ?? ''}]`;
}
