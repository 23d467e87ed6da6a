import { badOption, show } from '../../files/refuse.js';
import { renderPrompt, type Rendered, type TemplateLimits } from '../../text/chat.js';
import type { Tokenizer } from '../../text/types.js';

/** One message of an example. */
export interface TuningMessage {
  readonly role: string;
  readonly content: string;
  readonly [extra: string]: unknown;
}

/** What can be learnt from. A text is learnt whole; of all others only the answer: completion, output, the assistant's turns. */
export type TuningExample =
  | string
  | { readonly text: string }
  | { readonly prompt: string; readonly completion: string }
  | { readonly messages: readonly TuningMessage[] }
  /** Alpaca's fields (Taori et al. 2023). */
  | { readonly instruction: string; readonly input?: string; readonly output: string };

/** Two answers to one prompt, for preference optimisation: texts, or conversations that end with them. */
export type PreferenceExample = ({ readonly prompt: string | readonly TuningMessage[] } | { readonly instruction: string; readonly input?: string }) & {
  readonly chosen: string | readonly TuningMessage[];
  readonly rejected: string | readonly TuningMessage[];
};

/** Text in pieces, learnt or only read. */
export interface Script {
  readonly pieces: readonly { readonly text: string; readonly inLoss: boolean; /** Of a template: see MarkedOptions. */ readonly marks?: string }[];
  /** A document begins and ends as in training; a prompt begins as it does when generating; a chat is written by its template alone. */
  readonly kind: 'document' | 'prompt' | 'chat';
}

export interface PreferenceScripts {
  readonly chosen: Script;
  readonly rejected: Script;
}

/** Of a model without a chat template: Alpaca's headings. It goes into the tuned model, so that `chat` knows it. */
export const INSTRUCTION_TEMPLATE =
  "{% for message in messages %}{% if message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}{% elif message['role'] == 'assistant' %}{{ '### Response:\\n' + message['content'] + (eos_token or '') + '\\n' }}" +
  "{% else %}{{ '### Instruction:\\n' + message['content'] + '\\n\\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}";

const EXPECTED = 'an example: a text, { text }, { prompt, completion }, { messages } or { instruction, input, output }';
const EXPECTED_PAIR = 'a pair: { prompt, chosen, rejected } or { instruction, input, chosen, rejected }';

const isText = (value: unknown): value is string => typeof value === 'string';
const isMessage = (value: unknown): value is TuningMessage => typeof value === 'object' && value !== null && isText((value as TuningMessage).role) && isText((value as TuningMessage).content);
const isMessages = (value: unknown): value is readonly TuningMessage[] => Array.isArray(value) && value.length > 0 && value.every(isMessage);

/** Makes scripts of examples, conversations by one chat template. */
export class ScriptWriter {
  /** Whether the template had a part in what was written. */
  usesTemplate = false;

  constructor(
    private readonly tokenizer: Tokenizer,
    /** Jinja source, or 'chatml'. */
    readonly template: string,
    /** How special tokens are taken that are spelt in messages. */
    private readonly contents: 'text' | 'special' = 'text',
    private readonly limits?: TemplateLimits,
  ) {}

  /** @throws StonechatError `bad-option` naming the example. */
  async example(value: unknown, where: string): Promise<Script> {
    if (isText(value)) return document(value);
    const fields = fieldsOf(value, EXPECTED, where);
    if (isText(fields['text'])) return document(fields['text']);
    if (isMessages(fields['messages'])) return this.conversation(fields['messages'], where);
    const { prompt, completion, output } = fields;
    if (isText(prompt) && isText(completion)) return answered(prompt, completion);
    const instruction = this.instruction(fields);
    if (instruction !== undefined && isText(output)) return this.conversation([...instruction, { role: 'assistant', content: output }], where);
    throw refuse(EXPECTED, value, where);
  }

  /** @throws StonechatError `bad-option` naming the pair. */
  async preference(value: unknown, where: string): Promise<PreferenceScripts> {
    const fields = fieldsOf(value, EXPECTED_PAIR, where);
    const write = async (answer: unknown): Promise<Script> => {
      const last = isMessages(answer) ? answer.at(-1)!.content : answer;
      const { prompt } = fields;
      const asked = isMessages(answer) && isText(prompt) ? askedWith(prompt, answer.slice(0, -1)) : undefined;
      if (asked === CONTRADICTED) throw badOption('a prompt that the conversation begins with', `another message of the user in ${where}`, 'Leave the prompt out of the conversations, or write it as there.');
      const before = isMessages(prompt) ? prompt : (asked ?? this.instruction(fields));
      if (!isText(last)) throw refuse(EXPECTED_PAIR, value, where);
      if (before) return this.conversation([...before, { role: 'assistant', content: last }], where);
      if (!isText(prompt)) throw refuse(EXPECTED_PAIR, value, where);
      return answered(prompt, last);
    };
    return { chosen: await write(fields['chosen']), rejected: await write(fields['rejected']) };
  }

  private instruction({ instruction, input }: Record<string, unknown>): TuningMessage[] | undefined {
    if (!isText(instruction)) return undefined;
    const heading = this.template === INSTRUCTION_TEMPLATE ? '### Input:\n' : '';
    return [{ role: 'user', content: isText(input) && input !== '' ? `${instruction}\n\n${heading}${input}` : instruction }];
  }

  /** Learnt is what the template writes from the opening of an assistant's turn to its end. */
  private async conversation(messages: readonly TuningMessage[], where: string): Promise<Script> {
    this.usesTemplate = true;
    const whole = await this.render(messages, false);
    const { text, marks } = whole;
    const pieces: { text: string; inLoss: boolean; marks: string }[] = [];
    let at = 0;
    const add = (to: number, inLoss: boolean) => {
      if (to > at) pieces.push({ text: text.slice(at, to), inLoss, marks: this.contents === 'special' ? '' : marks.slice(at, to) });
      at = to;
    };
    for (const [i, { role }] of messages.entries()) {
      if (role !== 'assistant') continue;
      const [{ text: before }, { text: after }] = [await this.render(messages.slice(0, i), true), await this.render(messages.slice(0, i + 1), false)];
      // Templates that leave parts of earlier turns out (reasoning) show only the last one as it was generated.
      if (!text.startsWith(before) || !text.startsWith(after) || after.length <= before.length) continue;
      add(before.length, false);
      add(after.length, true);
    }
    add(text.length, false);
    if (pieces.some(({ inLoss }) => inLoss)) return { pieces, kind: 'chat' };
    throw badOption('a conversation with an answer of the assistant', `none in ${where}, as the chat template writes it`, 'Add { role: "assistant", content }, or pass another chatTemplate.');
  }

  private render(messages: readonly TuningMessage[], add_generation_prompt: boolean): Promise<Rendered> {
    return renderPrompt(this.template, messages, { ...this.tokenizer.specialTokens, add_generation_prompt }, { ...(this.limits && { limits: this.limits }) });
  }
}

const CONTRADICTED: TuningMessage[] = [];

/** A prompt that is a text beside answers that are conversations: their question, unless they tell it themselves. */
function askedWith(prompt: string, before: readonly TuningMessage[]): readonly TuningMessage[] {
  const question = before.find(({ role }) => role === 'user');
  if (!question) return [...before, { role: 'user', content: prompt }];
  return question.content.trim() === prompt.trim() ? before : CONTRADICTED;
}

const document = (text: string): Script => ({ pieces: [{ text, inLoss: true }], kind: 'document' });
const answered = (prompt: string, answer: string): Script => ({ pieces: [{ text: prompt, inLoss: false }, { text: answer, inLoss: true }], kind: 'prompt' });

const refuse = (expected: string, value: unknown, where: string) => badOption(expected, `${show(value)} as ${where}`, 'See docs/fine-tuning.md for the fields.');

function fieldsOf(value: unknown, expected: string, where: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw refuse(expected, value, where);
}
