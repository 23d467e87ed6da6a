import { StonechatError } from '../errors.js';
import { refuse, show } from '../generate/rules.js';
import type { ChatMessage, Model } from '../generate/types.js';
import { checkJudging } from './check.js';
import type { Continuation, JudgeOptions } from './reader.js';

/**
 * How likely each of several texts is after a prompt: labels of a classification, answers to a question. The prompt is read
 * once. After a conversation they open the assistant's turn. Where a text prompt and a continuation share a token at the
 * seam, it counts to the continuation. Results stand in the order of the continuations.
 */
export async function judgeContinuations(
  model: Pick<Model, 'createSession'>,
  prompt: string | ArrayLike<number> | readonly ChatMessage[],
  continuations: readonly (string | ArrayLike<number>)[],
  options: JudgeOptions = {},
): Promise<Continuation[]> {
  checkJudging('judgeContinuations()', options);
  if (typeof (model as { createSession?: unknown } | null)?.createSession !== 'function') refuse('a model, as load() gives it', show(model), 'Write judgeContinuations(await load("model.gguf"), prompt, texts).');
  const { signal, onProgress } = options;
  if (!Array.isArray(continuations) || continuations.length === 0) {
    throw new StonechatError({ code: 'bad-option', expected: 'a list of continuations', found: 'none', remedy: 'Give at least one text that may follow the prompt.' });
  }
  const session = model.createSession();
  const judged: Continuation[] = [];
  try {
    for (const continuation of continuations) {
      const tokens = [];
      for await (const token of session.score(prompt, { continuation, top: 1, ...(signal && { signal }) })) tokens.push(token);
      const logprob = tokens.reduce((sum, token) => sum + token.logprob, 0);
      judged.push({ logprob, tokens, greedy: tokens.every(({ id, top }) => top[0]?.id === id) });
      onProgress?.(judged.length, continuations.length);
    }
    return judged;
  } finally {
    session.dispose();
  }
}
