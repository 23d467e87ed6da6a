import { StonechatError } from '../errors.js';
import type { Model, Token } from '../generate/types.js';

/** What judging needs of a model; every `Model` satisfies it. */
export type Reader = Pick<Model, 'score' | 'tokenizer' | 'info'>;

/** What all judgements take. */
export interface JudgeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** As for `generate`: put BOS in front where the tokenizer does (default true); take special tokens written in a text for what they are (default false). */
  readonly addSpecial?: boolean | undefined;
  readonly parseSpecial?: boolean | undefined;
}

/** Ids that the tokenizer itself puts before a text. Without any, the first token has nothing before it and is not judged. */
export function startIds({ tokenizer }: Reader, { addSpecial = true }: JudgeOptions = {}): number[] {
  const first = tokenizer.bos ?? tokenizer.eos;
  return addSpecial ? [...(tokenizer.startIds ?? (first === undefined ? [] : [first]))] : [];
}

/** @throws StonechatError `bad-option` */
export function refuseEmpty(what: string): never {
  throw new StonechatError({ code: 'bad-option', expected: what, found: 'none', remedy: 'Give a text of at least two tokens, or a file with at least one line.' });
}

/** Models can judge the end of a text alone, and have sessions that keep what was read; other readers need not. */
const isModel = (reader: Reader): reader is Reader & Pick<Model, 'createSession'> => 'createSession' in reader;

/** All tokens of `ids` from index `first` on, with the probabilities they had. */
export async function readFrom(reader: Reader, ids: readonly number[], first: number, top: number, signal?: AbortSignal): Promise<Token[]> {
  const tokens: Token[] = [];
  const options = { top, ...(signal && { signal }) };
  const alone = isModel(reader) && first < ids.length;
  const source = alone ? reader.score(ids.slice(0, first), { ...options, continuation: ids.slice(first) }) : reader.score(ids, options);
  for await (const token of source) tokens.push(token);
  return alone ? tokens : tokens.slice(first - 1);
}

/** Judges texts that begin alike: what they share is read once. */
export async function sharing<T>(reader: Reader, work: (reader: Reader) => Promise<T>): Promise<T> {
  if (!isModel(reader)) return work(reader);
  const { createSession, tokenizer, info } = reader;
  const { score, dispose } = createSession();
  try {
    return await work({ createSession, tokenizer, info, score } as Reader);
  } finally {
    dispose();
  }
}

/** How likely a model finds a continuation. */
export interface Continuation {
  readonly logprob: number;
  readonly tokens: readonly Token[];
  /** Whether every token was the most likely one. */
  readonly greedy: boolean;
}

/** How likely `continuation` is after `context`. Where both share a token at the seam, it counts to the continuation. */
export async function judgeContinuation(reader: Reader, context: string, continuation: string, signal?: AbortSignal, options: JudgeOptions = {}): Promise<Continuation> {
  const start = startIds(reader, options);
  // After nothing at all a text is judged as a document of its own: BOS, or the EOS that ends the one before (LM evaluation harness).
  if (!context && !start.length) start.push(...[reader.tokenizer.bos ?? reader.tokenizer.eos].filter((id) => id !== undefined));
  const encode = (text: string) => [...start, ...reader.tokenizer.encode(text, { addSpecial: false, parseSpecial: options.parseSpecial ?? false })];
  const before = encode(context), all = encode(context + continuation);
  const differs = all.findIndex((id, i) => id !== before[i]);
  const first = Math.max(1, differs < 0 ? all.length - 1 : differs);
  const room = reader.info.contextLength;
  const cut = Math.max(0, all.length - room); // the oldest words go where the context is too small
  const tokens = await readFrom(reader, all.slice(cut), Math.max(1, first - cut), 1, signal);
  const logprob = tokens.reduce((sum, token) => sum + token.logprob, 0);
  return { logprob, tokens, greedy: tokens.every(({ id, top }) => top[0]?.id === id) };
}
