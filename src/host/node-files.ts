import { type Stats, statSync } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { StonechatError } from '../errors.js';
import { badFile, badOption, notFound, quote, unavailable } from '../files/refuse.js';
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

/** Names in a folder; undefined for anything else. @throws StonechatError `not-found`, `unavailable`, `bad-option`. */
export async function listFolder(location: string): Promise<string[] | undefined> {
  if (/^(https?|blob|data):/i.test(location)) return undefined;
  const path = toPath(location);
  try {
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return undefined; // sooner said than by a failing readdir
    return await readdir(path);
  } catch (cause) {
    throw unreadable(path, cause as NodeJS.ErrnoException);
  }
}

/** @throws StonechatError `bad-option` */
export function toPath(location: string): string {
  const refuse = (found: string, cause?: unknown) => badOption('a path, or the file: URL of one on this machine', found, 'Check the path.', cause);
  if (location.includes('\0')) throw refuse(`${quote(location)} with a zero character in it`);
  if (!/^file:/i.test(location)) return location;
  try {
    return fileURLToPath(location);
  } catch (cause) {
    throw refuse(quote(location), cause);
  }
}

/** A file on disk of any size, read at any offset straight into the caller's memory. */
export async function openPath(path: string): Promise<ByteSource> {
  const refuse = (cause: NodeJS.ErrnoException): never => {
    throw unreadable(path, cause);
  };
  // Opening a pipe without a writer would never return.
  const kind = kindOf(await stat(path).catch(refuse));
  if (kind === 'folder') throw aFolder(path);
  if (kind) throw badFile('a file', `${path}, ${kind}`, 'Pass what comes out of it as a stream (process.stdin, or fs.createReadStream), or write it to a file first.');
  const handle = await open(path, 'r').catch(refuse);
  try {
    return pathSource(path, handle, (await handle.stat()).size);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** What is no file, by its name. */
function kindOf(info: Stats): string | undefined {
  if (info.isFile()) return undefined;
  if (info.isDirectory()) return 'folder';
  return info.isFIFO() ? 'a pipe' : info.isSocket() ? 'a socket' : 'a device';
}

const CHECK = 'Check the path; relative ones start at the current folder.';

/** Why a file could not be read. */
export function unreadable(path: string, cause: NodeJS.ErrnoException): StonechatError {
  const { code = '', message } = cause;
  if (code === 'ENOENT' || code === 'ENOTDIR') return notFound(`a file ${path}`, 'none', CHECK, cause);
  if (code === 'ELOOP') return notFound(`a file ${path}`, 'links that lead in a circle', CHECK, cause);
  if (code === 'ENAMETOOLONG') return notFound('a path that this system can have', `one of ${path.length} characters`, CHECK, cause);
  if (code === 'EISDIR') return aFolder(path);
  const denied = code === 'EACCES' || code === 'EPERM';
  return unavailable(`${path} to be readable`, message, denied ? 'Check the permissions, of its folders too.' : 'Check the disk, and try again.', cause);
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
        const { bytesRead } = await handle.read(into, filled, length, offset + filled).catch((cause: NodeJS.ErrnoException) => Promise.reject(unreadable(path, cause)));
        if (bytesRead === 0) throw endsAt(path, offset + filled, offset, into.length);
        filled += bytesRead;
      }
    },
    close: () => handle.close(),
  };
}
