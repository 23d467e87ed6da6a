// A toy language model in TypeScript: its logits depend on every id it was given, in order, so that a wrong KV cache shows.
import { ModelRuntime, type RuntimeParts } from '../../src/generate/model-runtime.js';
import type { Generation, Token } from '../../src/generate/types.js';
import type { Runner, SequenceState } from '../../src/run/types.js';
import type { TextStream, Tokenizer } from '../../src/text/types.js';
import { kernelsHere } from '../sample/support.js';

export const BOS = 256;
export const EOS = 257;
export const EOT = 258;
/** Tokens of several characters. */
export const WORDS = ['hello', ' END', 'a END b', 'ÄÖ'];
export const word = (text: string): number => 259 + WORDS.indexOf(text);
export const VOCABULARY = 259 + WORDS.length;

const encoder = new TextEncoder();

/** One id per byte, a few words, three special tokens. Adds BOS. */
export function toyTokenizer(overrides: Partial<Tokenizer> = {}): Tokenizer {
  const size = overrides.size ?? VOCABULARY;
  const check = (id: number) => {
    if (!(id >= 0 && id < size)) throw new Error(`id ${id} of ${size}`);
    return id;
  };
  const bytes = (id: number) => (check(id) < 256 ? Uint8Array.of(id) : id < 259 ? new Uint8Array(0) : encoder.encode(WORDS[id - 259]));
  const names = ['<s>', '</s>', '<|eot|>'];
  const stream = (): TextStream => {
    const decoder = new TextDecoder();
    return { push: (id) => decoder.decode(bytes(id), { stream: true }), flush: () => decoder.decode() };
  };
  const encode: Tokenizer['encode'] = (text, { addSpecial = true, parseSpecial = false } = {}) => {
    const parts = parseSpecial ? text.split(/(<s>|<\/s>|<\|eot\|>)/) : [text];
    const ids = parts.flatMap((part) => (parseSpecial && names.includes(part) ? [256 + names.indexOf(part)] : Array.from(encoder.encode(part))));
    return Int32Array.from(addSpecial ? [BOS, ...ids] : ids);
  };
  return {
    kind: 'toy', size: VOCABULARY, bos: BOS, eos: EOS, unk: undefined, stopIds: new Set([EOS, EOT]), chatTemplate: 'toy', specialTokens: {},
    encode, bytes, stream,
    pieces: (text) => [...text],
    encodeAsync: async (text, options) => (overrides.encode ?? encode)(text, options),
    decode: (ids) => [...ids].map((id) => new TextDecoder().decode(bytes(id))).join(''),
    token: (id) => names[check(id) - 256] ?? new TextDecoder().decode(bytes(id)),
    id: () => undefined,
    isSpecial: (id) => id >= 256 && id < 259,
    ...overrides,
  };
}

export interface Evaluation {
  cache: number;
  start: number;
  ids: number[];
  logits: 'none' | 'last' | 'all';
}

export interface ToyRunner extends Runner {
  readonly evaluations: Evaluation[];
  /** Spans of every run: how many ids each had. */
  readonly runs: { readonly ids: number }[][];
  /** Caches not released. */
  readonly live: Set<number>;
  /** Makes evaluations fail. */
  failure: Error | undefined;
}

class ToySequence implements SequenceState {
  ids: number[] = [];
  readonly pages = [];

  constructor(readonly number: number, public capacity: number, private readonly live: Set<number>) {
    live.add(number);
  }

  get length(): number {
    return this.ids.length;
  }

  reserve(tokens: number): void {
    this.capacity = Math.max(this.capacity, tokens);
  }

  keep(count: number): number {
    return (this.ids.length = Math.min(this.ids.length, count));
  }

  fork(): SequenceState {
    const fork = new ToySequence(1000 + this.number, this.capacity, this.live);
    fork.ids = this.ids.slice();
    return fork;
  }

  release(): void {
    this.live.delete(this.number);
  }
}

export interface ToyOptions {
  contextLength?: number;
  maxBatch?: number;
  /** The id that should follow, from all ids so far; without it, or where it says undefined, chance decides. */
  next?: (ids: readonly number[]) => number | undefined;
}

/** Logits in [0, 4) from a hash of the ids and the candidate. */
export function toyLogits(ids: readonly number[]): Float32Array {
  let state = 2166136261;
  for (const id of ids) state = Math.imul(state ^ id, 16777619);
  return Float32Array.from({ length: VOCABULARY }, (_, id) => {
    let mixed = Math.imul(state ^ Math.imul(id + 1, 0x9e3779b1), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return id >= BOS && id <= EOT ? -50 : ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 30;
  });
}

export function toyRunner({ contextLength = 512, maxBatch = 64, next }: ToyOptions = {}): ToyRunner & { parts: Pick<RuntimeParts, 'runner' | 'arena'> } {
  const { kernels, arena } = kernelsHere();
  const logitsStride = Math.ceil(VOCABULARY / 16) * 64;
  const logitsAddress = arena.allocate(maxBatch * logitsStride, 'logits');
  const logits = (row = 0) => new Float32Array(kernels.memory.buffer, logitsAddress + row * logitsStride, VOCABULARY);
  const evaluations: Evaluation[] = [];
  const live = new Set<number>();
  let sequences = 0;
  let disposed = false;
  const runner: ToyRunner = {
    kernels, threads: 1, vocabulary: VOCABULARY, contextLength, maxBatch, logitsAddress, logitsStride, evaluations, runs: [], pageBytes: 0, arena, live, logits, failure: undefined,
    restoreSequence: () => runner.newSequence(),
    newSequence: (tokens = 0) => new ToySequence(sequences++, tokens, live),
    run(spans) {
      if (disposed) throw new Error('run after dispose');
      if (this.failure) throw this.failure;
      this.runs.push(spans.map(({ ids }) => ({ ids: ids.length })));
      let row = 0, total = 0;
      for (const { sequence, ids, logits: wanted } of spans) {
        const toy = sequence as ToySequence;
        const start = toy.length;
        if (!live.has(toy.number)) throw new Error('run of a released sequence');
        if (ids.length < 1 || (total += ids.length) > maxBatch || start + ids.length > contextLength) throw new Error(`run of ${ids.length} ids at ${start}`);
        evaluations.push({ cache: toy.number, start, ids: Array.from(ids), logits: wanted });
        toy.ids.push(...Array.from(ids));
        toy.reserve(toy.length);
        if (wanted === 'none') logits(row).fill(NaN);
        for (let i = wanted === 'all' ? 0 : wanted === 'last' ? ids.length - 1 : ids.length; i < ids.length; i++) {
          const seen = toy.ids.slice(0, start + i + 1);
          const values = toyLogits(seen);
          const preferred = next?.(seen);
          if (preferred !== undefined) values[preferred] = 30;
          logits(row++).set(values);
        }
      }
    },
    dispose: () => void (disposed = true),
  };
  return Object.assign(runner, { parts: { runner, arena } });
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function toyParts(options: ToyOptions & { tokenizer?: Tokenizer; runner?: ReturnType<typeof toyRunner> } = {}): RuntimeParts & { runner: ToyRunner } {
  const toy = options.runner ?? toyRunner(options);
  return {
    ...toy.parts,
    runner: toy,
    tokenizer: options.tokenizer ?? toyTokenizer(),
    renderChat: async (messages) => ({ text: `<s>${messages.map(({ role, content }) => `${role}:${content}<|eot|>`).join('')}`, marks: '' }),
    yield: turn,
  };
}

export const toyEngine = (options: Parameters<typeof toyParts>[0] = {}): ModelRuntime => new ModelRuntime(toyParts(options));

/** Says these ids after a prompt of `from` ids. */
export const script = (from: number, ids: readonly number[]) => (context: readonly number[]) => ids[context.length - from];

/** A text as the ids of the toy tokenizer. */
export const spell = (text: string): number[] => [...encoder.encode(text)];

export async function collect(generation: Generation): Promise<Token[]> {
  const tokens: Token[] = [];
  for await (const token of generation) tokens.push(token);
  return tokens;
}

export const textOf = (tokens: readonly Token[]): string => tokens.map(({ text }) => text).join('');
export const idsOf = (tokens: readonly Token[]): number[] => tokens.map(({ id }) => id);
