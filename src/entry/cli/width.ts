// How text fills a terminal: columns of characters, lines broken between words.

/** Combining marks, joiners and selectors stand on the character before them. */
const MARK = /^(?:\p{Mn}|\p{Me}|\p{Cf})$/u;
/** East Asian wide and full-width blocks, and pictures (Unicode TR 11). */
const WIDE = new RegExp('^[\\u1100-\\u115f\\u2e80-\\u303e\\u3041-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff00-\\uff60\\uffe0-\\uffe6\\u{1f300}-\\u{1f64f}\\u{1f680}-\\u{1f6ff}\\u{1f900}-\\u{1faff}\\u{20000}-\\u{3fffd}]$', 'u');

/** Columns of one character. */
export const columnsOf = (character: string): number => (character < '\u0300' ? 1 : MARK.test(character) ? 0 : WIDE.test(character) ? 2 : 1);

/** Columns of a text without control characters. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

/** The longest beginning of `text` that `width` columns hold. */
function headOf(text: string, width: number): string {
  let end = 0;
  let used = 0;
  for (const character of text) {
    used += columnsOf(character);
    if (used > width) break;
    end += character.length;
  }
  // Narrower than one character: it goes out all the same, so that no text is lost.
  return end > 0 ? text.slice(0, end) : String.fromCodePoint(text.codePointAt(0)!);
}

/** `text` cut to `width` columns, the cut marked. */
export const cut = (text: string, width: number): string => (widthOf(text) <= width ? text : width < 1 ? '' : width === 1 ? '…' : `${headOf(text, width - 1)}…`);

/** Lines of at most `width` columns, broken between words, within a word only where it is longer. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => wrapLine(line, Math.max(1, width)));
}

function wrapLine(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const part of text.split(/(?<=\s)(?=\S)/)) {
    const fits = widthOf((line + part).trimEnd()) <= width;
    if (!fits && line !== '') lines.push(line.trimEnd());
    line = fits ? line + part : part;
    while (widthOf(line.trimEnd()) > width) {
      const head = headOf(line, width);
      lines.push(head);
      line = line.slice(head.length);
    }
  }
  return [...lines, line.trimEnd()];
}

const ERASE_TO_END = '\u001b[K';

/**
 * Text that streams to a terminal, broken between words: what has been written of a word that turns
 * out too long for its line is taken back and written on the next one.
 */
export class Typist {
  private column = 0;
  private word = '';

  /** `width`: columns of the terminal now. */
  constructor(private readonly width: () => number) {}

  /** What to write, control characters for the terminal included. */
  push(text: string): string {
    let out = '';
    for (const character of text) out += this.type(character);
    return out;
  }

  private type(character: string): string {
    if (character === '\n') return this.newLine('\n');
    // The last column stays free: terminals disagree on where the cursor is after it.
    const room = this.width() - 1 - this.column, columns = character === '\t' ? 8 - (this.column % 8) : columnsOf(character);
    const isBlank = /^\s$/.test(character);
    if (isBlank && columns > room) return this.newLine('\n');
    const moved = columns > room ? this.moveWord() : '';
    this.column += columns;
    this.word = isBlank || columns === 2 ? '' : this.word + character;
    return moved + character;
  }

  private newLine(written: string): string {
    this.column = 0;
    this.word = '';
    return written;
  }

  /** The word so far goes to a new line; one that fills its line is broken. */
  private moveWord(): string {
    const { word } = this, columns = widthOf(word);
    if (columns === this.column) return this.newLine('\n');
    this.column = columns;
    return `${'\b'.repeat(columns)}${columns > 0 ? ERASE_TO_END : ''}\n${word}`;
  }
}
