import { ModelRuntime, type RuntimeParts, notFinite } from './model-runtime.js';
import { throwIfAborted } from './generation.js';
import { IdList } from './ids.js';
import { checkLogitsOptions, checkSaved } from './options.js';
import { checkPrompt, encodePrompt } from './prompt.js';
import { checkFits } from './context.js';
import { createSession } from './session.js';
import type { LogitsOptions, Model, ModelInfo, ScoreOptions, Session, Token } from './types.js';

/** Logits of a prompt's last position, on a KV cache of its own. */
async function logitsOf(runtime: ModelRuntime, prompt: unknown, options: LogitsOptions | undefined): Promise<Float32Array> {
  const { runner, tokenizer, renderChat } = runtime;
  const settings = checkLogitsOptions(options, runner.vocabulary);
  const encoded = await encodePrompt(checkPrompt(prompt, runner.vocabulary), tokenizer, renderChat, settings);
  checkFits(encoded.length, undefined, runner.contextLength);
  const ids = IdList.of(encoded);
  const sequence = runtime.sequences.open();
  sequence.busy++;
  const check = () => throwIfAborted(settings.signal);
  try {
    check();
    sequence.expect(ids.length);
    const use = (row: number): Float32Array => {
      runtime.measure(row);
      return finite(runner.logits(row).slice());
    };
    return await runtime.scheduler.read({ sequence, ids, end: ids.length, logits: 'last', use, check });
  } finally {
    runtime.scheduler.leave(sequence);
    sequence.release();
  }
}

/** All of them are numbers: what `measure` does not see are logits of -Infinity. @throws StonechatError `bad-file`. */
function finite(logits: Float32Array): Float32Array {
  const wrong = logits.find((logit) => !Number.isFinite(logit));
  if (wrong !== undefined) throw notFinite(wrong);
  return logits;
}

/** What the model thought of a text, on a session of its own that ends with it. */
async function* scoreAlone(runtime: ModelRuntime, prompt: unknown, options: ScoreOptions | undefined): AsyncGenerator<Token, undefined> {
  const session = createSession(runtime);
  try {
    yield* session.score(prompt as string, options);
  } finally {
    session.dispose();
  }
}

/** A runner and a tokenizer as the model that users see. `dispose` ends all its sessions and frees its memory. */
export function createModel(parts: RuntimeParts, info: ModelInfo): Model {
  const runtime = new ModelRuntime(parts);
  const sessions = new Set<Session>();

  /** Ends with the model, if it does not end before. */
  function adopt(session: Session): Session {
    const dispose = () => {
      sessions.delete(session);
      session.dispose();
    };
    sessions.add(session);
    return { ...session, fork: () => adopt(session.fork()), dispose, [Symbol.dispose]: dispose };
  }
  const open = () => adopt(createSession(runtime));

  async function restoreSession(saved: Uint8Array): Promise<Session> {
    checkSaved(saved);
    const { restoreSequence } = await import('./saved.js');
    return adopt(createSession(runtime, restoreSequence(runtime, saved)));
  }

  const own = open();
  function dispose(): void {
    for (const session of sessions) session.dispose();
    sessions.clear();
    parts.runner.dispose();
  }

  return {
    ...own,
    info,
    tokenizer: parts.tokenizer,
    createSession: open,
    restoreSession,
    logits: (prompt, options) => logitsOf(runtime, prompt, options),
    score: (prompt, options) => scoreAlone(runtime, prompt, options),
    renderChat: async (messages, variables) => (await parts.renderChat(messages, variables)).text,
    dispose,
    [Symbol.dispose]: dispose,
  };
}
