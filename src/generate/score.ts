import type { Mask } from '../sample/constraint.js';
import { checkFits } from './context.js';
import type { ModelRuntime } from './model-runtime.js';
import { constrained, type Room, throwIfAborted } from './generation.js';
import { IdList } from './ids.js';
import { among, checkOptions, forked, isId, READING, type Settings } from './options.js';
import { type CheckedPrompt, encodePrompt } from './prompt.js';
import { checkRules, flag, isText, refuse, type Rule } from './rules.js';
import type { ScoreOptions, Token } from './types.js';
import type { Tokenizer } from '../text/types.js';

const NO_HISTORY = { ids: new Int32Array(0), length: 0 };
/** Logits of this many values at most are kept at once: 16 MiB. */
const MOST_LOGITS = 4 << 20;

interface ScoreSettings extends Settings {
  readonly continuation: string | Int32Array | undefined;
}

/** @throws StonechatError `bad-option` */
function checkScoreOptions(options: ScoreOptions = {}, vocabulary: number): ScoreSettings {
  const isIds = (value: unknown) => (Array.isArray(value) || ArrayBuffer.isView(value)) && Array.from(value as unknown as ArrayLike<unknown>).every(isId(vocabulary));
  checkRules('score()', options, {
    ...among(vocabulary, [...READING, 'constraint', 'top', 'onProgress']),
    addGenerationPrompt: flag(false),
    continuation: { expected: 'a text or a list of token ids, not empty', accepts: (value) => isText(value) || (isIds(value) && (value as ArrayLike<number>).length > 0), otherwise: 'the whole text' },
  } satisfies Record<keyof ScoreOptions, Rule>);
  const { addGenerationPrompt, continuation, ...rest } = options;
  const openTurn = addGenerationPrompt ?? continuation !== undefined;
  return { ...checkOptions(rest, vocabulary), openTurn, continuation: typeof continuation === 'object' ? Int32Array.from(continuation) : continuation };
}

interface Judged {
  readonly ids: Int32Array;
  /** The first that is judged: not the very first, which has nothing before it. */
  readonly first: number;
}

/** Where both share a token at the seam, it counts to the continuation. */
function seam(prompt: Int32Array, all: Int32Array): number {
  const differs = all.findIndex((id, i) => id !== prompt[i]);
  return Math.max(1, differs < 0 ? all.length - 1 : differs);
}

async function judgedIds({ tokenizer, renderChat }: ModelRuntime, prompt: CheckedPrompt, settings: ScoreSettings): Promise<Judged> {
  const { continuation } = settings;
  const ids = await encodePrompt(prompt, tokenizer, renderChat, settings);
  if (continuation === undefined) return { ids, first: 1 };
  if (typeof prompt === 'string' && typeof continuation === 'string') {
    const all = await encodePrompt(prompt + continuation, tokenizer, renderChat, settings);
    return { ids: all, first: seam(ids, all) };
  }
  const more = typeof continuation === 'string' ? tokenizer.encode(continuation, { ...settings, addSpecial: false }) : continuation;
  return { ids: Int32Array.from([...ids, ...more]), first: ids.length };
}

function checkLength({ ids, first }: Judged): void {
  if (ids.length > first) return;
  refuse('a text of at least two tokens: the first has nothing before it that could foretell it', `${ids.length} token${ids.length === 1 ? '' : 's'}`, 'Give a longer text; or ids that begin with BOS, to judge the first word too.');
}

/** Texts of ids as they stand in one text, cut at the tokens: one inside a character owns an empty text. */
function* textsOf(tokenizer: Tokenizer, ids: Int32Array, first: number): Generator<string, undefined> {
  const stream = tokenizer.stream({ special: true });
  const push = (id: number) => (id < tokenizer.size ? stream.push(id) : '');
  let at = 0;
  // A special token at the start is no text that a space could follow.
  while (at < first && (ids[at]! >= tokenizer.size || tokenizer.isSpecial(ids[at]!))) at++;
  for (; at < first; at++) push(ids[at]!);
  for (; at < ids.length; at++) yield push(ids[at]!) + (at === ids.length - 1 ? stream.flush() : '');
}

/** What the constraint says to a token by row `row` of the logits. @throws StonechatError `bad-option` if it forbids the token. */
function judgeUnder(mask: Mask, token: Token, row: number, runtime: ModelRuntime): Token {
  const { candidates } = runtime;
  if (mask.done) refuse('a text that ends where the constraint is done', `more: token ${token.id}`, 'Judge a shorter text.');
  candidates.fill(runtime.rowAt(row));
  mask.sampler(candidates, NO_HISTORY);
  if (!mask.allows(token.id)) refuse('a text that the constraint allows', `token ${token.id} where it is not allowed`, 'Judge it without.');
  return constrained(token, mask, runtime, runtime.measure(row).logsumexp);
}

/**
 * What the model thought before each token of a text: every token after the first, with the probability it had; of a
 * continuation only its own. A chunk of its own: most programs never judge.
 */
export async function* score({ runtime, sequence, queue, check: alive }: Room, prompt: CheckedPrompt, options: ScoreOptions | undefined): AsyncGenerator<Token, undefined> {
  const { runner, tokenizer, scheduler } = runtime;
  const settings = checkScoreOptions(options, runner.vocabulary);
  const ticket = queue.join();
  sequence.busy++;
  const check = () => {
    throwIfAborted(settings.signal);
    alive();
  };
  try {
    const constraint = forked(settings.constraint);
    const mask = constraint && new (await import('../sample/constraint.js')).Mask(constraint, runner.vocabulary);
    await ticket.turn(settings.signal, check);
    const judged = await judgedIds(runtime, prompt, settings);
    checkLength(judged);
    const { first } = judged;
    const ids = IdList.of(judged.ids), last = ids.length - 1;
    checkFits(ids.length, undefined, runner.contextLength);
    const report = (done: number) => settings.onProgress?.({ phase: 'prefill', done, total: last });
    const texts = textsOf(tokenizer, judged.ids, first);
    const tokensAt = (row: number, at: number, count: number): Token[] =>
      Array.from(ids.view(at + 1, at + count + 1), (id, i) => {
        const token = runtime.tokenAt(row + i, id, texts.next().value!, settings.top);
        return mask ? judgeUnder(mask, token, row + i, runtime) : token;
      });
    const most = Math.max(1, Math.floor(MOST_LOGITS / runner.vocabulary));
    for (let at = first - 1; at < last; ) {
      await ticket.turn(settings.signal, check);
      sequence.rewind(ids, at);
      sequence.expect(last);
      const reading = { sequence, ids, check, report };
      if (sequence.length < at) await scheduler.read({ ...reading, end: at, logits: 'none', use: () => {} });
      const end = Math.min(at + Math.min(most, scheduler.pieceTokens), last), tokens: Token[] = [];
      await scheduler.read({ ...reading, end, logits: 'all', use: (row, from, count) => void tokens.push(...tokensAt(row, from, count)) });
      at = end;
      if (end === last) report(end);
      for (const token of tokens) {
        ticket.rest();
        yield token;
      }
    }
  } finally {
    ticket.leave();
    sequence.busy--;
    scheduler.leave(sequence);
  }
}
