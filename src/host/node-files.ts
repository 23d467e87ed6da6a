import { statSync } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
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

/** Writes aside, flushes, renames: a reader, or a crash, finds the old file or the new one. @throws StonechatError `unavailable`. */
export async function saveFile(location: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  const path = toPath(location);
  const aside = `${path}.${process.pid}.partial`;
  const cannot = (cause: NodeJS.ErrnoException) =>
    unavailable(`to write ${path}`, cause.message, 'Check that the folder exists, that it may be written to, and that the disk has room.', cause);
  const handle = await open(aside, 'w').catch((cause: NodeJS.ErrnoException) => {
    throw cannot(cause);
  });
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk).catch((cause: NodeJS.ErrnoException) => Promise.reject(cannot(cause)));
    await handle.sync();
    await handle.close();
    await rename(aside, path);
    await flushFolder(dirname(path));
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(aside, { force: true });
    throw error;
  }
}

/** The rename itself must reach the disk too. Windows cannot open folders; there it is the file system's matter. */
async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

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
