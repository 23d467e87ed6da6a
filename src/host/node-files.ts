import { statSync } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { StonechatError } from '../errors.js';
import { badFile, notFound, unavailable } from '../files/refuse.js';
import { endsAt } from '../files/sources.js';
import type { ByteSource } from '../files/types.js';
import { openUrl } from '../files/url-source.js';
import type { OpenOptions } from './host.js';

/** One fs.read takes at most 2^31 - 1 bytes. */
const MOST_PER_READ = 1 << 30;

/** Opens a path, a file: URL, or an http(s), blob or data URL. @throws StonechatError `not-found`, `unavailable`, `network`. */
export async function openLocation(location: string, options: OpenOptions = {}): Promise<ByteSource> {
  if (/^(https?|blob|data):/i.test(location)) return openUrl(location, options);
  return openPath(toPath(location));
}

/** Names in a folder; undefined for anything else. */
export async function listFolder(location: string): Promise<string[] | undefined> {
  if (/^(https?|blob|data):/i.test(location)) return undefined;
  const path = toPath(location);
  if (statSync(path, { throwIfNoEntry: false })?.isFile()) return undefined; // sooner said than by a failing readdir
  return readdir(path).catch(() => undefined);
}

const toPath = (location: string): string => (/^file:/i.test(location) ? fileURLToPath(location) : location);

/** A file on disk of any size, read at any offset straight into the caller's memory. */
export async function openPath(path: string): Promise<ByteSource> {
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(path, cause);
  });
  try {
    const info = await handle.stat();
    if (info.isDirectory()) throw aFolder(path);
    return pathSource(path, handle, info.size);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Why a file could not be read. */
export function unreadable(path: string, cause: NodeJS.ErrnoException): StonechatError {
  if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return notFound(`a file ${path}`, 'none', 'Check the path; relative ones start at the current folder.', cause);
  if (cause.code === 'EISDIR') return aFolder(path);
  return unavailable(`${path} to be readable`, cause.message, 'Check the permissions.', cause);
}

const aFolder = (path: string) => badFile('a file', `the folder ${path}`, 'Name a file in it.');

function pathSource(path: string, handle: FileHandle, size: number): ByteSource {
  return {
    name: path,
    size,
    direct: true,
    async read(offset, into) {
      let filled = 0;
      while (filled < into.length) {
        const length = Math.min(into.length - filled, MOST_PER_READ);
        const { bytesRead } = await handle.read(into, filled, length, offset + filled);
        if (bytesRead === 0) throw endsAt(path, offset + filled, offset, into.length);
        filled += bytesRead;
      }
    },
    close: () => handle.close(),
  };
}
