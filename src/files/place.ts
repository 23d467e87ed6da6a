import { StonechatError } from '../errors.js';
import { allocate, badFile } from './refuse.js';
import { readUpTo } from './head.js';
import type { ByteSource } from './types.js';

/** What lies beside a file, or in a folder. */
export interface Neighbours {
  /** For messages. */
  readonly name: string;
  /** All names, where they can be listed. */
  readonly names?: readonly string[] | undefined;
  /** The file of that name, undefined if there is none. */
  open(name: string): Promise<ByteSource | undefined>;
}

const isUrl = (location: string): boolean => /^[a-z][a-z\d+.-]+:/i.test(location);

/** A location as messages show it: without names and passwords, without the query, which may be a signature, and without the contents of data: URLs. */
export function shown(location: string): string {
  if (/^data:/i.test(location)) return 'data:…';
  return isUrl(location) ? location.replace(/^([^/]+:\/\/)[^/?#]*@/, '$1').replace(/#.*$/s, '').replace(/\?.*$/s, '?…') : location;
}

/** Last part of a path or URL, without its query. */
export function baseName(location: string): string {
  const path = isUrl(location) ? location.replace(/[?#].*$/s, '') : location;
  return path.replace(/[/\\]+$/, '').split(/[/\\]/).at(-1)!;
}

/** The location of `name` beside the file `location`. */
export function beside(location: string, name: string): string {
  if (isUrl(location)) return new URL(encodeURIComponent(name), location).href;
  return location.replace(/[^/\\]*$/, '') + name;
}

/** The location of `name` in the folder `location`. */
export function inside(location: string, name: string): string {
  if (isUrl(location)) return beside(location.replace(/\/*([?#].*)?$/s, '/'), name);
  return `${location.replace(/[/\\]+$/, '') || '/'}/${name}`.replace(/^\/\//, '/');
}

/** Text files beside a model are at most this long. */
export const MOST_SIBLING_BYTES = 1 << 28;
const PIECE_BYTES = 1 << 18;

/** Reads a small file whole and closes it. */
export async function readAll(source: ByteSource): Promise<Uint8Array> {
  try {
    let bytes = new Uint8Array(0);
    for (let target = source.size < 0 ? PIECE_BYTES : source.size; ; target = bytes.length * 4) {
      if (target > MOST_SIBLING_BYTES) throw badFile(`a file of at most ${MOST_SIBLING_BYTES} bytes`, `${source.size < 0 ? 'more' : source.size} in ${source.name}`, 'Check the name.');
      const grown = allocate(target, source.name);
      grown.set(bytes);
      const got = await readUpTo(source, bytes.length, grown.subarray(bytes.length));
      const full = bytes.length + got === target;
      bytes = grown.subarray(0, bytes.length + got);
      if (!full || bytes.length === source.size) return bytes;
    }
  } finally {
    await source.close();
  }
}

/** The result, or undefined where the file is not there. */
export async function ifThere<T>(attempt: () => Promise<T>): Promise<T | undefined> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof StonechatError && error.code === 'not-found') return undefined;
    throw error;
  }
}
