import type { Token } from '../generate/types.js';
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

/**
 * Perplexity of a text under a model, by windows that overlap (Hugging Face's "strided" evaluation): each token is judged
 * once, with at least `window - stride` tokens before it, but for the first window's.
 */
export async function perplexity(reader: Reader, text: string, options: PerplexityOptions = {}): Promise<Perplexity> {
  const start = startIds(reader, options);
  const ids = [...reader.tokenizer.encode(text, { addSpecial: false, parseSpecial: options.parseSpecial ?? false })];
  const most = reader.info.contextLength - start.length;
  const window = Math.max(2, Math.min(options.window ?? most, most));
  const stride = Math.max(1, Math.min(options.stride ?? Math.ceil(window / 2), window));
  if (start.length + ids.length < 2) refuseEmpty('a text to judge');
  let nll = 0, judged = 0, windows = 0;
  for (let at = 0, done = 0; done < ids.length; at += stride, windows++) {
    const end = Math.min(at + window, ids.length);
    const all = [...start, ...ids.slice(at, end)];
    const tokens = await readFrom(reader, all, Math.max(1, all.length - (end - done)), options.top ?? 0, options.signal);
    for (const token of tokens) {
      nll -= token.logprob;
      options.onToken?.(token);
    }
    judged += tokens.length;
    done = end;
    options.onProgress?.(done, ids.length);
  }
  const bytes = new TextEncoder().encode(text).length - (start.length ? 0 : reader.tokenizer.bytes(ids[0]!).length);
  return { tokens: judged, bytes, perplexity: Math.exp(nll / judged), bitsPerByte: nll / Math.LN2 / bytes, windows };
}
