import { Engine, type EngineParts } from './engine.js';
import { throwIfAborted } from './generation.js';
import { IdList } from './ids.js';
import { checkOptions } from './options.js';
import { prefill } from './prefill.js';
import { checkPrompt, encodePrompt } from './prompt.js';
import { checkFits } from './context.js';
import { Sequence } from './sequence.js';
import { score } from './score.js';
import { createSession } from './session.js';
import type { Model, ModelInfo, Session } from './types.js';

/** Logits of a prompt's last position, on a KV cache of its own. */
async function logitsOf(engine: Engine, prompt: unknown, options: { signal?: AbortSignal } | undefined): Promise<Float32Array> {
  const { runner, tokenizer, renderChat } = engine;
  const settings = checkOptions(options, runner.vocabulary);
  const encoded = await encodePrompt(checkPrompt(prompt, runner.vocabulary), tokenizer, renderChat, settings);
  checkFits(encoded.length, undefined, runner.contextLength);
  const ids = new IdList();
  ids.append(encoded);
  const sequence = new Sequence(runner);
  const check = () => throwIfAborted(settings.signal);
  try {
    check();
    const last = await prefill(engine, sequence, ids, check);
    sequence.append(last, 'last');
    return runner.logits().slice();
  } finally {
    sequence.release();
  }
}

/** A runner and a tokenizer as the model that users see. `dispose` ends all its sessions and frees its memory. */
export function createModel(parts: EngineParts, info: ModelInfo): Model {
  const engine = new Engine(parts);
  const sessions = new Set<Session>();

  function open(): Session {
    const session = createSession(engine);
    const dispose = () => {
      sessions.delete(session);
      session.dispose();
    };
    sessions.add(session);
    return { generate: session.generate, dispose, [Symbol.dispose]: dispose };
  }

  const own = open();
  function dispose(): void {
    for (const session of sessions) session.dispose();
    sessions.clear();
    parts.runner.dispose();
  }

  return {
    info,
    tokenizer: parts.tokenizer,
    generate: own.generate,
    createSession: open,
    logits: (prompt, options) => logitsOf(engine, prompt, options),
    score: (prompt, options) => score(engine, prompt, options),
    renderChat: parts.renderChat,
    dispose,
    [Symbol.dispose]: dispose,
  };
}
