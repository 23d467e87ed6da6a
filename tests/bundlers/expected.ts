// What every bundle must say: what this Node says.
import { expect } from 'vitest';
import { load } from '../../src/entry/node.js';
import type { Answer, PageAnswer } from './chromium.js';

const PROMPT = 'Once upon a time';

async function ask(): Promise<Answer & { long: string }> {
  using model = await load('models/default.gguf', { chatTemplate: 'chatml' });
  const tell = async (maxTokens: number) => {
    const generation = model.generate(PROMPT, { maxTokens, seed: 1, hashLogits: true });
    for await (const _ of generation);
    return generation.summary;
  };
  const { text, logitsHash } = await tell(24);
  return {
    text,
    logitsHash: logitsHash!,
    chat: await model.renderChat([{ role: 'user', content: 'Hi' }]),
    ids: [...model.tokenizer.encode('a bird')],
    long: (await tell(200)).text,
  };
}

let asked: ReturnType<typeof ask> | undefined;
const reference = () => (asked ??= ask());

/** The page of fixtures/page with README's snippet. */
export async function expectAnswer({ answer, story }: { answer: PageAnswer; story: string }): Promise<void> {
  const { long, ...answered } = await reference();
  expect(answer).toEqual({ here: answered, there: answered, refusal: 'bad-file bad-file alike' });
  expect(long.trim().startsWith(story.slice(0, 80))).toBe(true);
}

/** The story that the examples tell: the prompt, and at most 100 tokens. */
export async function expectStory(story: string): Promise<void> {
  const { long } = await reference();
  expect(story.startsWith(PROMPT)).toBe(true);
  expect(story.length).toBeGreaterThan(200);
  expect(`${PROMPT}${long}`.startsWith(story.trim())).toBe(true);
}
