import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StonechatError } from '../errors.js';
import { badOption, unavailable } from '../files/refuse.js';

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
type Cause = NodeJS.ErrnoException;

const ROOM = 'Check that the folder exists, that it may be written to, and that the disk has room.';
const cannot = (path: string, found: string, cause?: unknown, remedy = ROOM): StonechatError => unavailable(`to write ${path}`, found, remedy, cause);

/** Saves to one path wait for each other: the last one called is what stays. */
const queues = new Map<string, Promise<void>>();
/** They get in line in the order of their calls. */
let arriving: Promise<unknown> = Promise.resolve();

/** Writes aside, flushes, renames: a reader, or a crash, finds the old file or the new one. @throws StonechatError `unavailable`. */
export async function saveFile(location: string, chunks: Chunks): Promise<void> {
  const path = toPath(location);
  const finding = arriving.then(() => findTarget(path));
  arriving = finding.catch(() => {});
  const target = await finding;
  const before = queues.get(target.path);
  const saving = (async () => {
    await before?.catch(() => {});
    await sweep(target.path);
    await writeAside(path, before ? await findTarget(path) : target, chunks);
  })();
  queues.set(target.path, saving);
  await saving.finally(() => queues.get(target.path) === saving && queues.delete(target.path));
}

/**
 * Whether files can be written, before work begins: outputs are files or nothing yet, none is an input or another output by whatever
 * name, and their folders can be written to. Leftovers of runs that were killed are removed.
 * @throws StonechatError `bad-option`, `unavailable`.
 */
export async function checkOutputs(outputs: readonly string[], inputs: readonly string[]): Promise<void> {
  const read = new Map<string, string>();
  for (const input of inputs.filter((location) => !isUrl(location))) {
    const identity = await identityOf(toPath(input));
    if (identity !== undefined && !read.has(identity)) read.set(identity, input);
  }
  const written = new Map<string, string>();
  for (const location of outputs) {
    const path = toPath(location);
    const target = await findTarget(path);
    const identity = (await identityOf(target.path)) ?? target.path;
    const input = read.get(identity);
    if (input !== undefined) throw badOption('an output that is none of what is read', path === input ? path : `${path}, which is the file ${input}`, 'Name another file.');
    const other = written.get(identity);
    if (other !== undefined) throw badOption('outputs of different names', `${other} and ${path}`, 'Name another file.');
    written.set(identity, path);
    await sweep(target.path);
    await tryOut(path, target);
  }
}

const isUrl = (location: string): boolean => /^(https?|blob|data):/i.test(location);
const toPath = (location: string): string => (/^file:/i.test(location) ? fileURLToPath(location) : location);

/** The same for all names of one file: links, hard links, other letter case where that is one file; undefined where there is none. */
async function identityOf(path: string): Promise<string | undefined> {
  const info = await stat(path, { bigint: true }).catch(() => undefined);
  if (!info) return undefined;
  if (info.ino !== 0n) return `${info.dev}:${info.ino}`;
  return realpath(path).catch(() => undefined); // file systems that number nothing
}

interface Target {
  /** Where the file will lie: links followed, folders too. */
  readonly path: string;
  /** Of the file that is there. */
  readonly mode?: number;
  readonly owner?: { readonly user: number; readonly group: number };
}

const MOST_LINKS = 40;

/** What a path leads to, links followed also where they lead to nothing yet. @throws StonechatError `unavailable` for all but files. */
async function findTarget(path: string): Promise<Target> {
  if (path.includes('\0')) throw cannot(JSON.stringify(path), 'a name with a zero byte', undefined, 'Name another file.');
  if (/[/\\]$/.test(path)) throw cannot(path, 'the name of a folder', undefined, 'Name a file in it.');
  let at = resolve(path);
  for (let links = 0; ; links++) {
    const info = await lstat(at).catch((cause: Cause) => (cause.code === 'ENOENT' ? undefined : Promise.reject(cannot(path, cause.message, cause))));
    if (!info?.isSymbolicLink()) {
      const folder = await realpath(dirname(at)).catch((cause: Cause) => Promise.reject(cannot(path, cause.message, cause)));
      const found = { path: join(folder, basename(at)) };
      if (!info) return found;
      if (!info.isFile()) throw cannot(path, kindOf(info), undefined, 'Name a file: what is there is left as it is.');
      return { ...found, mode: info.mode & 0o7777, owner: { user: info.uid, group: info.gid } };
    }
    if (links === MOST_LINKS) throw cannot(path, 'links that lead in a circle', undefined, 'Name another file.');
    at = resolve(dirname(at), await readlink(at));
  }
}

type Info = Awaited<ReturnType<typeof lstat>>;

function kindOf(info: Info): string {
  if (info.isDirectory()) return 'a folder of that name';
  if (info.isFIFO()) return 'a FIFO of that name';
  if (info.isSocket()) return 'a socket of that name';
  return 'a device of that name';
}

/** Makes and removes a file as saving would. */
async function tryOut(path: string, target: Target): Promise<void> {
  const { name, handle } = await openAside(path, target);
  await handle.close();
  await rm(name, { force: true });
}

const NEW_FILE = 0o666;

/** Opens a new file beside the target, of a name that nobody can foresee. */
async function openAside(path: string, target: Target): Promise<{ name: string; handle: FileHandle }> {
  const name = asideName(target.path);
  const handle = await open(name, 'wx', target.mode === undefined ? NEW_FILE : target.mode & 0o777).catch((cause: Cause) => Promise.reject(cannot(path, cause.message, cause)));
  return { name, handle };
}

async function writeAside(path: string, target: Target, chunks: Chunks): Promise<void> {
  const { name, handle } = await openAside(path, target);
  const refuse = (cause: Cause) => Promise.reject(cannot(path, cause.message, cause));
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk).catch(refuse);
    await keepRights(handle, target).catch(refuse);
    await handle.sync().catch(refuse);
    await handle.close();
    await moveOver(name, target.path, path);
    await flushFolder(dirname(target.path));
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(name, { force: true });
    throw error;
  }
}

/** The mode of the file that is replaced, and where that is allowed its owner. */
async function keepRights(handle: FileHandle, { mode, owner }: Target): Promise<void> {
  if (mode === undefined || !owner) return;
  const info = await handle.stat();
  if (info.uid !== owner.user || info.gid !== owner.group) await handle.chown(owner.user, owner.group).catch(() => {});
  await handle.chmod(mode);
}

/** Windows refuses while another program has the target open: scanners and indexers let go of it soon. */
const OPEN_ELSEWHERE = new Set(['EPERM', 'EACCES', 'EBUSY']);
const PATIENCE_MS = [20, 50, 100, 200, 400, 800, 1600];

export async function moveOver(from: string, to: string, shown: string, move: typeof rename = rename, windows = process.platform === 'win32'): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await move(from, to);
    } catch (error) {
      const cause = error as Cause;
      if (!windows || !OPEN_ELSEWHERE.has(cause.code ?? '')) throw cannot(shown, cause.message, cause);
      const pause = PATIENCE_MS[attempt];
      if (pause === undefined) throw cannot(shown, `that it cannot be replaced: ${cause.message}`, cause, 'Close the program that has the file open, or name another file.');
      await new Promise((done) => setTimeout(done, pause));
    }
  }
}

/** The rename itself must reach the disk too. Windows cannot open folders; there it is the file system's matter. */
async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

// Names of files written aside: TARGET.PID-BEGAN-MACHINE.RANDOM.partial. Who finds one can tell whether its writer lives.

/** Bytes of a name: most file systems take 255. */
const LONGEST_STEM = 190;

function stemOf(path: string): string {
  const bytes = Buffer.from(basename(path));
  if (bytes.length <= LONGEST_STEM) return basename(path);
  return bytes.subarray(0, LONGEST_STEM).toString('utf8').replace(/\ufffd+$/, '') + createHash('sha256').update(bytes).digest('hex').slice(0, 8);
}

const asideName = (path: string): string => join(dirname(path), `${stemOf(path)}.${process.pid}-${beganAt(process.pid) ?? 0}-${machine()}.${randomBytes(6).toString('hex')}.partial`);

/** When a process began, in ticks since the machine did; undefined where that cannot be told. */
function beganAt(pid: number): string | undefined {
  try {
    // The name of the program, in parentheses, may hold anything; the 20th field behind it is the time.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)\s/s, '').split(' ')[19];
  } catch {
    return undefined;
  }
}

let known: string | undefined;

/** Where process numbers mean the same: one boot of one machine, one container. */
function machine(): string {
  const part = (read: () => string) => {
    try {
      return read();
    } catch {
      return '';
    }
  };
  const parts = [hostname(), part(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')), part(() => readlinkSync('/proc/self/ns/pid'))];
  return (known ??= createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 10));
}

const DAY_MS = 86_400_000;
const ASIDE = /^\.(\d+)-(\d+)-([0-9a-f]{10})\.[0-9a-f]{12}\.partial$/;
/** As earlier versions named them. */
const EARLIER_ASIDE = /^\.(\d+)\.partial$/;

/** Removes what killed runs were writing aside for this target. Of other machines and containers: what nobody has written to for a day. */
async function sweep(path: string): Promise<void> {
  const [folder, stem] = [dirname(path), stemOf(path)];
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(`${stem}.`) || !name.endsWith('.partial')) continue;
    if (await isAbandoned(join(folder, name), name.slice(stem.length))) await rm(join(folder, name), { force: true }).catch(() => {});
  }
}

async function isAbandoned(path: string, rest: string): Promise<boolean> {
  const [, pid, began, where] = ASIDE.exec(rest) ?? [];
  const [, earlier] = EARLIER_ASIDE.exec(rest) ?? [];
  if (pid === undefined && earlier === undefined) return false;
  const info = await lstat(path).catch(() => undefined);
  if (!info?.isFile()) return false;
  if (earlier !== undefined) return Number(earlier) !== process.pid && !isAlive(Number(earlier));
  if (where !== machine()) return Date.now() - info.mtimeMs > DAY_MS;
  return !isAlive(Number(pid)) || (began !== '0' && beganAt(Number(pid)) !== began);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as Cause).code === 'EPERM';
  }
}
