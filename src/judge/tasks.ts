import { checkJudging, checkList, checkReader, checkResult, isPair, isQuestion, isText } from './check.js';
import { judgeContinuation, type JudgeOptions, type Reader, refuseEmpty, sharing } from './reader.js';

/** Two sentences, of which the first is the better. */
export interface SentencePair {
  readonly good: string;
  readonly bad: string;
}

/** A question with answers to choose from. */
export interface ChoiceQuestion {
  readonly prompt: string;
  readonly choices: readonly string[];
  /** Index of the right choice. */
  readonly answer: number;
}

/** How many were right. */
export interface Score {
  readonly items: number;
  /** Share that was right, 0 to 1. */
  readonly accuracy: number;
  /** What guessing reaches. */
  readonly chance: number;
}

/** Standard error of an accuracy: how far chance alone may have moved it. */
export function standardError(score: Score): number {
  checkResult('a score', score, ['items', 'accuracy']);
  const { items, accuracy } = score;
  return Math.sqrt((accuracy * (1 - accuracy)) / items);
}

function checkAll(what: string, reader: Reader, options: JudgeOptions): void {
  checkReader(reader);
  checkJudging(what, options);
}

/** Walks a list, reporting after each item. */
async function each<T>(items: readonly T[], { signal, onProgress }: JudgeOptions, what: string, judge: (item: T, signal: AbortSignal | undefined) => Promise<void>): Promise<void> {
  if (items.length === 0) refuseEmpty(what);
  for (const [i, item] of items.entries()) {
    await judge(item, signal);
    onProgress?.(i + 1, items.length);
  }
}

/** Minimal pairs (BLiMP, Warstadt et al. 2020): right where the grammatical sentence is the more likely as a whole. */
export async function judgePairs(reader: Reader, pairs: readonly SentencePair[], options: JudgeOptions = {}): Promise<Score> {
  checkAll('judgePairs()', reader, options);
  checkList('{ good, bad }, both texts', pairs, isPair, 'See docs/judging.md.');
  let right = 0;
  await each(pairs, options, 'pairs of sentences', async ({ good, bad }, signal) => {
    const [yes, no] = [await judgeContinuation(reader, '', good, signal, options), await judgeContinuation(reader, '', bad, signal, options)];
    if (yes.logprob > no.logprob) right++;
  });
  return { items: pairs.length, accuracy: right / pairs.length, chance: 0.5 };
}

/** How a model chose. */
export interface ChoiceScore extends Score {
  /** The same with log-likelihoods divided by the bytes of the choice, so that short answers gain nothing (acc_norm of the LM evaluation harness). */
  readonly accuracyNormalised: number;
}

const largest = (values: readonly number[]): number => values.indexOf(Math.max(...values));

/** Multiple choice (ARC, Clark et al. 2018): the most likely continuation of "Question: …\nAnswer:". */
export async function judgeChoices(reader: Reader, questions: readonly ChoiceQuestion[], options: JudgeOptions = {}): Promise<ChoiceScore> {
  checkAll('judgeChoices()', reader, options);
  checkList('{ prompt, choices, answer }, the answer the place of one of at least one choice', questions, isQuestion, 'See docs/judging.md.');
  let right = 0, rightNormalised = 0, chance = 0;
  await each(questions, options, 'questions', async ({ prompt, choices, answer }, signal) => {
    const logprobs: number[] = [];
    await sharing(reader, async (shared) => {
      for (const choice of choices) logprobs.push((await judgeContinuation(shared, `Question: ${prompt}\nAnswer:`, ` ${choice}`, signal, options)).logprob);
    });
    const perByte = logprobs.map((logprob, i) => logprob / new TextEncoder().encode(choices[i]!).length);
    if (largest(logprobs) === answer) right++;
    if (largest(perByte) === answer) rightNormalised++;
    chance += 1 / choices.length;
  });
  const items = questions.length;
  return { items, accuracy: right / items, accuracyNormalised: rightNormalised / items, chance: chance / items };
}

/** How often a model knew the last word. */
export interface LastWordScore extends Score {
  /** exp of the mean negative log-likelihood per last word. */
  readonly perplexity: number;
}

/** LAMBADA (Paperno et al. 2016): right where every token of the last word is the most likely one. */
export async function judgeLastWords(reader: Reader, texts: readonly string[], options: JudgeOptions = {}): Promise<LastWordScore> {
  checkAll('judgeLastWords()', reader, options);
  checkList('texts', texts, isText, 'See docs/judging.md.');
  let right = 0, nll = 0;
  await each(texts, options, 'texts', async (text, signal) => {
    const at = text.trimEnd().lastIndexOf(' ');
    const { logprob, greedy } = await judgeContinuation(reader, text.slice(0, Math.max(0, at)), text.trimEnd().slice(Math.max(0, at)), signal, options);
    if (greedy) right++;
    nll -= logprob;
  });
  const items = texts.length;
  return { items, accuracy: right / items, chance: 0, perplexity: Math.exp(nll / items) };
}
