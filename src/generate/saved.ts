// Sessions as bytes. A chunk of its own: most programs never save one.
import { StonechatError } from '../errors.js';
import { KEY_BLOCK, keyBlocks } from '../kernels/layout.js';
import { HASH_START } from '../sample/distribution.js';
import type { ModelRuntime } from './model-runtime.js';
import type { Sequence } from './sequence.js';

const MAGIC = 'stonechat session\n';
const VERSION = 1;

/** What a saved session says of itself. */
interface Header {
  readonly version: number;
  /** What the model makes of a few ids, to the bit: saved states belong to it, and to its type of KV cache and adapters. */
  readonly model: string;
  readonly pageBytes: number;
  readonly pageTokens: number;
  readonly tokens: number;
  /** Of ids and pages. */
  readonly hash: string;
}

const refused = (code: 'bad-file' | 'bad-option', found: string): StonechatError =>
  new StonechatError({ code, expected: 'what session.save() of this model gave', found, remedy: 'Load the model (with the adapters and the kvCache) that the session was saved from, or begin a new session.' });

const hex = (hash: bigint): string => hash.toString(16).padStart(16, '0');

/** Hash of ids and pages, where both lie in the model's memory. */
function hashOf(runtime: ModelRuntime, ids: Int32Array, pages: readonly number[]): string {
  const { arena, kernels, pageBytes } = runtime.runner;
  const bytes = 8 + ids.byteLength;
  const state = arena.allocate(bytes, 'a saved session');
  new BigUint64Array(kernels.memory.buffer, state, 1)[0] = HASH_START;
  new Int32Array(kernels.memory.buffer, state + 8, ids.length).set(ids);
  kernels.exports.hash_words(state, state + 8, ids.length);
  for (const page of pages) kernels.exports.hash_words(state, page, pageBytes / 4);
  const hash = new BigUint64Array(kernels.memory.buffer, state, 1)[0]!;
  arena.release(state, bytes);
  return hex(hash);
}

const prints = new WeakMap<ModelRuntime, string>();

/** Of the logits after a few ids: equal wherever the same model runs. */
function fingerprint(runtime: ModelRuntime): string {
  const known = prints.get(runtime);
  if (known !== undefined) return known;
  const { runner, distribution } = runtime;
  const sequence = runner.newSequence(3);
  try {
    runner.run([{ sequence, ids: [0, 1, 2].map((id) => id % runner.vocabulary), logits: 'last' }]);
    const print = hex(distribution.hashLogits(runner.logitsAddress, HASH_START));
    prints.set(runtime, print);
    return print;
  } finally {
    sequence.release();
  }
}

/** The ids and the state of a sequence. */
export function saveSequence(runtime: ModelRuntime, sequence: Sequence): Uint8Array<ArrayBuffer> {
  const { kernels, pageBytes } = runtime.runner;
  const ids = sequence.ids.slice(), pages = sequence.length > 0 ? sequence.state.pages : [];
  const facts: Header = { version: VERSION, model: fingerprint(runtime), pageBytes, pageTokens: KEY_BLOCK, tokens: ids.length, hash: hashOf(runtime, ids, pages) };
  const head = new TextEncoder().encode(`${MAGIC}${JSON.stringify(facts)}\n`);
  const saved = new Uint8Array(head.length + ids.byteLength + pages.length * pageBytes);
  saved.set(head);
  saved.set(new Uint8Array(ids.buffer), head.length);
  pages.forEach((page, i) => saved.set(new Uint8Array(kernels.memory.buffer, page, pageBytes), head.length + ids.byteLength + i * pageBytes));
  return saved;
}

function readHeader(saved: Uint8Array): { header: Header; at: number } {
  const newline = saved.indexOf(10, MAGIC.length);
  const text = new TextDecoder().decode(saved.subarray(0, Math.max(0, newline)));
  if (!text.startsWith(MAGIC)) throw refused('bad-file', 'other bytes');
  try {
    return { header: JSON.parse(text.slice(MAGIC.length)) as Header, at: newline + 1 };
  } catch {
    throw refused('bad-file', 'a damaged header');
  }
}

/** Checks that the bytes belong to this model and are whole. */
function check(runtime: ModelRuntime, { version, model, pageBytes, pageTokens, tokens }: Header, bytes: number): void {
  const { runner } = runtime;
  if (version !== VERSION) throw refused('bad-file', `version ${version}`);
  if (pageBytes !== runner.pageBytes || pageTokens !== KEY_BLOCK || model !== fingerprint(runtime)) throw refused('bad-file', 'a session of another model, adapter or kvCache');
  if (!Number.isInteger(tokens) || tokens < 0 || bytes !== tokens * 4 + keyBlocks(tokens) * pageBytes) throw refused('bad-file', `${bytes} bytes for ${tokens} tokens`);
  if (tokens <= runner.contextLength) return;
  throw new StonechatError({
    code: 'context-full', expected: `a session of at most ${runner.contextLength} tokens`, found: String(tokens), remedy: 'Load the model with the contextLength that it had.',
  });
}

/** A sequence as it was saved. @throws StonechatError `bad-file` where it belongs to another model or is damaged. */
export function restoreSequence(runtime: ModelRuntime, saved: Uint8Array): Sequence {
  const { header, at } = readHeader(saved);
  check(runtime, header, saved.length - at);
  const { runner } = runtime, { tokens, hash } = header, { pageBytes, kernels } = runner;
  const ids = new Int32Array(saved.slice(at, at + tokens * 4).buffer);
  const sequence = runtime.sequences.open();
  if (tokens === 0 || pageBytes === 0) return sequence; // what is held of ids alone is read again
  const from = at + tokens * 4;
  const state = runner.restoreSequence(tokens, (pages) => {
    pages.forEach((page, i) => new Uint8Array(kernels.memory.buffer, page, pageBytes).set(saved.subarray(from + i * pageBytes, from + (i + 1) * pageBytes)));
  });
  if (hashOf(runtime, ids, state.pages) !== hash) {
    state.release();
    sequence.release();
    throw refused('bad-file', 'damaged bytes');
  }
  sequence.adopt(ids, state);
  return sequence;
}
