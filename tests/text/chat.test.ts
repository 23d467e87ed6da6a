import { afterAll, describe, expect, test } from 'vitest';
import { render, renderChat } from '../../src/text/chat.js';
import { hasShared, noShared, readSharedJson } from './support/shared.js';

interface ChatCase {
  name: string;
  chat_template: string;
  data: Record<string, unknown>;
  expected: string;
  python_jinja2_agrees: boolean;
}
interface UnitCase {
  name: string;
  template: string;
  data: Record<string, unknown>;
  expected: string;
  python_jinja2_agrees: boolean;
}

/** Where the recorded text is another program's, Python's is the truth: see jinja-python.test.ts. */
const agreed = ({ python_jinja2_agrees }: ChatCase | UnitCase) => python_jinja2_agrees;

const report: string[] = [];
afterAll(() => process.stdout.write(`${report.join('\n')}\n`));

describe.skipIf(!hasShared)(`chat templates (${noShared} otherwise)`, () => {
  /** Templates may ask for the date: `clock` is the recorded one. */
  const atClock = async <T>(clock: string, run: () => Promise<T>): Promise<T> => {
    const { Date: RealDate } = globalThis;
    globalThis.Date = class extends RealDate {
      constructor() {
        super(clock);
      }
    } as DateConstructor;
    try {
      return await run();
    } finally {
      globalThis.Date = RealDate;
    }
  };

  test('real templates give the recorded prompts', async () => {
    const { clock, cases } = readSharedJson<{ clock: string; cases: ChatCase[] }>('chat-templates/chat-templates.json');
    const wrong: unknown[] = [];
    for (const { name, chat_template, data, expected } of cases.filter(agreed)) {
      const found = await atClock(clock, () => render(chat_template, data));
      if (found !== expected) wrong.push({ name, found, expected });
    }
    report.push(`chat-templates.json: ${cases.filter(agreed).length - wrong.length} of ${cases.filter(agreed).length} cases`);
    expect(wrong).toEqual([]);
  });

  test('small templates give the recorded text', async () => {
    const cases = readSharedJson<UnitCase[]>('chat-templates/jinja-unit.json');
    const wrong: unknown[] = [];
    for (const { name, template, data, expected } of cases.filter(agreed)) {
      const found = await render(template, data).catch(String);
      if (found !== expected) wrong.push({ name, found, expected });
    }
    report.push(`jinja-unit.json: ${cases.filter(agreed).length - wrong.length} of ${cases.filter(agreed).length} cases`);
    expect(wrong).toEqual([]);
  });
});

describe('chat', () => {
  const messages = [{ role: 'user', content: 'Hi' }];

  test('the assistant\'s turn is opened unless told otherwise', async () => {
    const template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}";
    expect(await renderChat(template, messages)).toBe('[user] Hi\n[assistant] ');
    expect(await renderChat(template, messages, { add_generation_prompt: false })).toBe('[user] Hi\n');
  });

  test('without a template: an error that says what to do, or ChatML if asked for', async () => {
    await expect(renderChat(undefined, messages)).rejects.toMatchObject({ code: 'not-found', remedy: expect.stringContaining('chatml') });
    expect(await renderChat(undefined, messages, { fallback: 'chatml' })).toBe('<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n');
  });

  test.each([
    ['{% if %}', 'bad-file'],
    ['{{ raise_exception("roles must alternate") }}', 'bad-option'],
    ['{{ messages[0].content.no_such() }}', 'bad-option'],
    ['{% include "other" %}', 'bad-file'],
    ['{{ messages|no_such }}', 'bad-file'],
    ['{% trans %}Hi{% endtrans %}', 'bad-file'],
  ])('%s: %s', async (template, code) => {
    await expect(renderChat(template, messages)).rejects.toMatchObject({ name: 'StonechatError', code });
  });
});
