// What real chat templates need is in the chunk that is loaded by default; the rest of Jinja is fetched for the few that need more.
import { describe, expect, it, vi } from 'vitest';
import { renderTemplate } from '../../src/text/jinja/index.js';
import { hasShared, noShared, readSharedJson } from './support/shared.js';

vi.mock('../../src/text/jinja/rest/index.js', () => ({
  install() {
    throw new Error('the rest is wanted');
  },
}));

const render = (template: string, variables: Record<string, unknown> = {}) => renderTemplate(template, variables).then(({ text }) => text);
const MESSAGES = [{ role: 'system', content: ' S ' }, { role: 'user', content: 'U' }, { role: 'assistant', content: 'A\nB' }];

describe('without the rest', () => {
  it.each([
    ["{% for m in messages if m.role != 'system' %}{{ loop.index0 }}{{ m['content'] | trim }}{{ '\\n' if not loop.last }}{% endfor %}", '0U\n1A\nB'],
    ["{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}{{ messages[-1].content.split('\\n')[::-1] | join }}", '3BA'],
    ['{% macro turn(m, end="|") %}{{ m.role | upper ~ end }}{% endmacro %}{% for m in messages[1:] %}{{ turn(m) }}{% endfor %}', 'USER|ASSISTANT|'],
    ["{{ {'a': [1, 2.5, none, true]} | tojson(indent=2) }}", '{\n  "a": [\n    1,\n    2.5,\n    null,\n    true\n  ]\n}'],
    ["{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list }}{{ tools is defined and tools is not none }}", "['U']False"],
    ['{% if messages[0].role == "system" %}{{ messages[0].content.strip() }}{% elif x %}{% else %}{% endif %}{{ x | default("d") }}', 'Sd'],
  ])('%s', async (template, text) => {
    expect(await render(template, { messages: MESSAGES })).toBe(text);
  });

  it('what few templates need is asked for', async () => {
    for (const template of ["{{ 'a b' | wordwrap }}", "{{ 'x'.center(3) }}", "{{ '%s' % 1 }}", '{{ 2.5 // 1 }}', '{% filter upper %}a{% endfilter %}', "{{ strftime_now('%H') }}", '{{ cycler(1) }}', '{% nothing %}']) {
      await expect(render(template), template).rejects.toThrow('the rest is wanted');
    }
  });

  it.skipIf(!hasShared)(`real chat templates are rendered (${noShared} otherwise)`, async () => {
    const { cases } = readSharedJson<{ cases: { chat_template: string; data: Record<string, unknown> }[] }>('chat-templates/chat-templates.json');
    const wanting = new Set<string>();
    for (const { chat_template, data } of cases) {
      await render(chat_template, data).catch((error: Error) => error.message === 'the rest is wanted' && wanting.add(chat_template));
    }
    console.log(`${wanting.size} of ${new Set(cases.map((one) => one.chat_template)).size} chat templates need the rest`);
    expect(wanting.size).toBeLessThanOrEqual(3); // {% call %}, {% generation %}, int
  });
});
