import { StonechatError } from '../errors.js';
import type { Normaliser } from './normalise.js';
import { atOnce, CHUNK, type Turns } from './turns.js';

/**
 * SentencePiece's precompiled normaliser: a double-array trie (Darts-clone) from byte sequences to replacements.
 * Layout: u32 size of the trie in bytes, the trie (u32 units), then zero-terminated UTF-8 replacements.
 * A unit: label in bits 0-7 (bit 31 set: a value), has-leaf in bit 8, offset in bits 10-30, shifted by 8 more with bit 9.
 * At each place the longest match is replaced; other characters stay.
 */
export function charsmap(blob: Uint8Array): Normaliser {
  const map = new CharacterMap(blob);
  return Object.assign((text: string) => atOnce(map.rewrite(text)), { inTurns: (text: string) => map.rewrite(text) });
}

/** A match may reach so many characters beyond the part of a text that is read; more are read where it does. */
const BEYOND = 256;

class CharacterMap {
  private readonly units: Uint32Array;
  private readonly strings: Uint8Array;
  /** Does something begin with this letter that ASCII alone can spell? */
  private readonly ascii: readonly boolean[];

  constructor(blob: Uint8Array) {
    ({ units: this.units, strings: this.strings } = read(blob));
    const letters = [...Array(128).keys()];
    const spells = (...bytes: number[]) => match(this.units, Uint8Array.from(bytes), 0);
    this.ascii = letters.map((one) => (spells(one)?.length ?? 0) > 0 || letters.some((two) => spells(one, two)?.open));
  }

  /** Part by part. */
  *rewrite(text: string): Turns<string> {
    const parts: string[] = [];
    for (let from = 0, beyond = BEYOND; from < text.length; ) {
      const made = this.part(text.slice(from, from + CHUNK + beyond), from + CHUNK + beyond >= text.length);
      if (!made) beyond *= 16;
      else {
        parts.push(made.text);
        yield (from += made.taken);
      }
    }
    return parts.length === 1 ? parts[0]! : parts.join('');
  }

  /** What the beginning of a window becomes, and how much of it that is; undefined where a match may go on behind it. `all`: nothing does. */
  private part(window: string, all: boolean): { text: string; taken: number } | undefined {
    const { units, strings } = this;
    if (isPlain(window, this.ascii)) return { text: window, taken: window.length };
    const bytes = encoder.encode(window);
    const end = all ? bytes.length : encoder.encode(window.slice(0, CHUNK)).length;
    const out: number[] = [];
    let at = 0;
    while (at < end) {
      const found = match(units, bytes, at);
      if (found?.open && !all) return undefined;
      if (found?.length) {
        for (let i = found.value; strings[i]; i++) out.push(strings[i]!);
        at += found.length;
      } else do out.push(bytes[at++]!); while ((bytes[at]! & 0xc0) === 0x80);
    }
    return { text: decoder.decode(Uint8Array.from(out)), taken: all ? window.length : decoder.decode(bytes.subarray(0, at)).length };
  }
}

function isPlain(text: string, ascii: readonly boolean[]): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 128 || ascii[code]) return false;
  }
  return true;
}

/** What the shortest match at the beginning of a text stands for. */
export function shortestOf(blob: Uint8Array): (text: string) => string | undefined {
  const { units, strings } = read(blob);
  return (text) => {
    const found = match(units, encoder.encode(text), 0, true);
    return found?.length ? decoder.decode(strings.subarray(found.value, strings.indexOf(0, found.value))) : undefined;
  };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

interface Match {
  /** In bytes; 0: no match. */
  length: number;
  value: number;
  /** The bytes end where a longer match may go on. */
  open: boolean;
}

/** The longest match that begins there, or the shortest. */
function match(units: Uint32Array, bytes: Uint8Array, from: number, shortest = false): Match | undefined {
  let [length, value] = [0, 0];
  let node = offset(units[0]!);
  let at = from;
  for (; at < bytes.length; at++) {
    if (bytes[at] === 0) break;
    node ^= bytes[at]!;
    const unit = units[node];
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== bytes[at]) break;
    node ^= offset(unit);
    if (((unit >>> 8) & 1) === 0) continue;
    [length, value] = [at - from + 1, (units[node] ?? 0) & 0x7fffffff];
    if (shortest) break;
  }
  const open = at >= bytes.length;
  return length || open ? { length, value, open } : undefined;
}

const offset = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);

function read(blob: Uint8Array): { units: Uint32Array; strings: Uint8Array } {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const size = blob.length >= 8 ? view.getUint32(0, true) : 0;
  if (size < 4 || size % 4 || size + 4 > blob.length) {
    throw new StonechatError({
      code: 'bad-file',
      expected: 'a precompiled normaliser that holds its trie',
      found: `a trie of ${size} bytes in ${blob.length}`,
      remedy: 'The tokenizer file is damaged; download it again.',
    });
  }
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + i * 4, true));
  return { units, strings: blob.subarray(4 + size) };
}
