import { StonechatError } from '../errors.js';
import type { Rendered } from '../text/chat.js';
import type { Tokenizer } from '../text/types.js';
import type { Settings } from './options.js';
import { show } from './rules.js';
import type { ChatMessage } from './types.js';

/** A text, token ids, or a conversation: a copy that later changes of the caller's list do not reach. */
export type CheckedPrompt = string | Int32Array | readonly ChatMessage[];

export const isConversation = (prompt: CheckedPrompt): prompt is readonly ChatMessage[] => Array.isArray(prompt);

/** The prompt that the model's chat template makes of messages, and which characters came from them. `variables` are the template's. */
export type RenderChat = (messages: readonly ChatMessage[], variables?: Record<string, unknown>, run?: { readonly signal?: AbortSignal | undefined }) => Promise<Rendered>;

function refuse(expected: string, found: string, remedy: string): never {
  throw new StonechatError({ code: 'bad-option', expected, found, remedy });
}

const isMessage = (value: unknown): value is ChatMessage =>
  typeof value === 'object' && value !== null && typeof (value as ChatMessage).role === 'string' && typeof (value as ChatMessage).content === 'string';

function checkIds(ids: readonly unknown[], vocabulary: number): Int32Array {
  const wrong = ids.findIndex((id) => !(Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabulary));
  if (wrong < 0) return Int32Array.from(ids as number[]);
  return refuse(`token ids from 0 to ${vocabulary - 1} in the prompt`, `${show(ids[wrong])} at position ${wrong}`, 'Encode the text with the tokenizer of this model.');
}

function checkMessages(messages: readonly unknown[]): ChatMessage[] {
  const wrong = messages.findIndex((message) => !isMessage(message));
  if (wrong < 0) return messages.map((message) => ({ ...(message as ChatMessage) }));
  return refuse('chat messages with a `role` and a `content`, both texts', `${show(messages[wrong])} at position ${wrong}`, 'Write { role: "user", content: "Hello" }.');
}

/** @throws StonechatError `bad-option` unless the prompt is a text, ids of the vocabulary, or messages with role and content. */
export function checkPrompt(prompt: unknown, vocabulary: number): CheckedPrompt {
  if (typeof prompt === 'string') return prompt;
  if (!Array.isArray(prompt) && !(ArrayBuffer.isView(prompt) && 'length' in prompt)) {
    refuse('a prompt: a text, a list of token ids, or a list of chat messages', show(prompt), 'Write generate("Once upon a time").');
  }
  const list: unknown[] = Array.from(prompt as ArrayLike<unknown>);
  if (list.length === 0) refuse('a prompt of at least one token', 'an empty list', 'Give the text "" to start from nothing.');
  return typeof list[0] === 'object' ? checkMessages(list) : checkIds(list, vocabulary);
}

/** An empty prompt starts from BOS, or from EOS in models (GPT-2) that put it between documents. */
function startOf({ bos, eos }: Tokenizer): Int32Array {
  const id = bos ?? eos;
  if (id === undefined) refuse('a prompt of at least one token', 'an empty text, and a tokenizer without BOS or EOS', 'Give the first words.');
  return Int32Array.of(id);
}

/** What a template writes itself is parsed. Templates usually write BOS themselves; then the tokenizer must not add another. */
async function encodeChat(messages: readonly ChatMessage[], tokenizer: Tokenizer, renderChat: RenderChat, settings: Settings): Promise<Int32Array> {
  const { text, marks } = await renderChat(messages, settings.openTurn === false ? { add_generation_prompt: false } : undefined, { signal: settings.signal });
  const hasBos = tokenizer.bos !== undefined && text.startsWith(tokenizer.token(tokenizer.bos)) && marks[0] !== '1';
  const plain = settings.contents === 'special' ? {} : { marks };
  return tokenizer.encode(text, { parseSpecial: true, addSpecial: settings.addSpecial && !hasBos, ...plain });
}

/** Ids of a prompt, at least one. */
export async function encodePrompt(prompt: CheckedPrompt, tokenizer: Tokenizer, renderChat: RenderChat, settings: Settings): Promise<Int32Array> {
  if (prompt instanceof Int32Array) return prompt;
  if (typeof prompt !== 'string') return encodeChat(prompt, tokenizer, renderChat, settings);
  const { addSpecial, parseSpecial = false } = settings;
  const ids = await tokenizer.encodeAsync(prompt, { addSpecial, parseSpecial });
  return ids.length > 0 ? ids : startOf(tokenizer);
}
