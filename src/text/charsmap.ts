import { StonechatError } from '../errors.js';

/**
 * SentencePiece's precompiled normaliser: a double-array trie (Darts-clone) from byte sequences to replacements.
 * Layout: u32 size of the trie in bytes, the trie (u32 units), then zero-terminated UTF-8 replacements.
 * A unit: label in bits 0-7 (bit 31 set: a value), has-leaf in bit 8, offset in bits 10-30, shifted by 8 more with bit 9.
 * At each place the longest match is replaced; other characters stay.
 */
export function charsmap(blob: Uint8Array): (text: string) => string {
  const { units, strings } = read(blob);
  const ascii = Array.from({ length: 128 }, (_, byte) => match(units, Uint8Array.of(byte), 0));
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return (text) => {
    if (isPlain(text, ascii)) return text;
    const bytes = encoder.encode(text);
    const out: number[] = [];
    for (let at = 0; at < bytes.length; ) {
      const found = match(units, bytes, at);
      if (found) {
        for (let i = found.value; strings[i]; i++) out.push(strings[i]!);
        at += found.length;
      } else do out.push(bytes[at++]!); while ((bytes[at]! & 0xc0) === 0x80);
    }
    return decoder.decode(Uint8Array.from(out));
  };
}

function isPlain(text: string, ascii: readonly (Match | undefined)[]): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 128 || ascii[code]) return false;
  }
  return true;
}

/** What the shortest match at the beginning of a text stands for. */
export function shortestOf(blob: Uint8Array): (text: string) => string | undefined {
  const { units, strings } = read(blob);
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return (text) => {
    const bytes = encoder.encode(text);
    for (let end = 1; end <= bytes.length; end++) {
      const found = match(units, bytes.subarray(0, end), 0);
      if (found) return decoder.decode(strings.subarray(found.value, strings.indexOf(0, found.value)));
    }
    return undefined;
  };
}

interface Match {
  length: number;
  value: number;
}

function match(units: Uint32Array, bytes: Uint8Array, from: number): Match | undefined {
  let found: Match | undefined;
  let node = offset(units[0]!);
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] === 0) break;
    node ^= bytes[at]!;
    const unit = units[node];
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== bytes[at]) break;
    node ^= offset(unit);
    if ((unit >>> 8) & 1) found = { length: at - from + 1, value: (units[node] ?? 0) & 0x7fffffff };
  }
  return found;
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
