import { refuse, show } from '../generate/rules.js';
import type { Token } from '../generate/types.js';
import { checkPerplexity, checkReader, isText } from './check.js';
import { type JudgeOptions, type Reader, readFrom, refuseEmpty, startIds } from './reader.js';

/** Options of `perplexity`. */
export interface PerplexityOptions extends JudgeOptions {
  /** Tokens per window. Default: the model's context. */
  readonly window?: number | undefined;
  /** How far the window moves: what it overlaps with the last one is context only. Default: half the window. */
  readonly stride?: number | undefined;
  /** Sees every judged token once, in order. */
  readonly onToken?: ((token: Token) => void) | undefined;
  /** Alternatives with each token. Default 0. */
  readonly top?: number | undefined;
}

/** How well a model foresees a text. */
export interface Perplexity {
  /** Judged tokens, and bytes of text. */
  readonly tokens: number;
  readonly bytes: number;
  /** exp of the mean negative log-likelihood per token (natural logarithm). */
  readonly perplexity: number;
  /** The same per byte of text, in bits: comparable between tokenizers. */
  readonly bitsPerByte: number;
  readonly windows: number;
}

/** One text, or several (documents) one by one. */
export type JudgedTexts = string | Iterable<string> | AsyncIterable<string>;

/**
 * Perplexity of a text under a model, by windows that overlap (Hugging Face's "strided" evaluation): each token is judged
 * once, with at least `window - stride` tokens before it, but for the first window's. Of several texts each begins anew.
 * `onProgress` counts tokens of one text, characters of a list of them.
 * @throws StonechatError `bad-option`
 */
export async function perplexity(reader: Reader, texts: JudgedTexts, options: PerplexityOptions = {}): Promise<Perplexity> {
  checkReader(reader);
  checkPerplexity(options);
  const sums = new Sums();
  if (isText(texts)) await sums.add(reader, texts, options);
  else await addAll(sums, reader, texts, options);
  const { nll, tokens, bytes, windows } = sums;
  if (tokens === 0) refuseEmpty('a text to judge');
  return { tokens, bytes, perplexity: Math.exp(nll / tokens), bitsPerByte: nll / Math.LN2 / bytes, windows };
}

async function addAll(sums: Sums, reader: Reader, texts: Exclude<JudgedTexts, string>, { onProgress, ...options }: PerplexityOptions): Promise<void> {
  const isIterable = typeof texts === 'object' && texts !== null && (Symbol.iterator in texts || Symbol.asyncIterator in texts);
  if (!isIterable) refuse('a text to judge, or several', show(texts), 'Write perplexity(model, "Once upon a time").');
  const total = Array.isArray(texts) ? texts.reduce<number>((sum, text) => sum + (isText(text) ? text.length : 0), 0) : -1;
  let done = 0;
  for await (const text of texts) {
    if (!isText(text)) refuse('texts to judge', show(text), 'Decode files to text first.');
    await sums.add(reader, text, options);
    done += text.length;
    onProgress?.(done, total);
  }
}

/** Characters of a text that is encoded in turns. */
const LONG = 1 << 16;

function encodeText({ tokenizer }: Reader, text: string, { parseSpecial = false, signal }: PerplexityOptions): Int32Array | Promise<Int32Array> {
  const settings = { addSpecial: false, parseSpecial };
  return text.length > LONG ? tokenizer.encodeAsync(text, { ...settings, ...(signal && { signal }) }) : tokenizer.encode(text, settings);
}

class Sums {
  nll = 0;
  tokens = 0;
  bytes = 0;
  windows = 0;

  async add(reader: Reader, text: string, options: PerplexityOptions): Promise<void> {
    const start = startIds(reader, options);
    const ids = [...(await encodeText(reader, text, options))];
    if (start.length + ids.length < 2) return;
    const most = reader.info.contextLength - start.length;
    const window = Math.max(2, Math.min(options.window ?? most, most));
    const stride = Math.max(1, Math.min(options.stride ?? Math.ceil(window / 2), window));
    for (let at = 0, done = 0; done < ids.length; at += stride, this.windows++) {
      const end = Math.min(at + window, ids.length);
      const all = [...start, ...ids.slice(at, end)];
      const tokens = await readFrom(reader, all, Math.max(1, all.length - (end - done)), options.top ?? 0, options.signal);
      for (const token of tokens) {
        this.nll -= token.logprob;
        options.onToken?.(token);
      }
      this.tokens += tokens.length;
      done = end;
      options.onProgress?.(done, ids.length);
    }
    this.bytes += new TextEncoder().encode(text).length - (start.length ? 0 : reader.tokenizer.bytes(ids[0]!).length);
  }
}
