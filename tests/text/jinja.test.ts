// Templates as Python's Jinja2 renders them in transformers' environment, what they may use up, and what they mark.
import { afterAll, describe, expect, test } from 'vitest';
import { renderPrompt, render } from '../../src/text/chat.js';
import { JinjaError, renderTemplate } from '../../src/text/jinja/index.js';
import { parseData } from '../../src/text/jinja/json-data.js';
import { strftime } from '../../src/text/jinja/rest/clock.js';
import { hasShared, noShared, readSharedText } from './support/shared.js';

const report: string[] = [];
afterAll(() => process.stdout.write(`${report.join('\n')}\n`));

interface Program {
  template: string;
  output?: string;
  error?: string;
}

/** Addresses of Python's objects in memory are no text that a template could mean. */
const ADDRESS = /object at 0x/i;

describe.skipIf(!hasShared)(`random programs (${noShared} otherwise)`, () => {
  test('give Python\'s text, or are refused as there', async () => {
    const [head, ...lines] = readSharedText('jinja/cases.jsonl').trim().split('\n');
    const context = Object.fromEntries((parseData(head!) as Map<string, Map<string, unknown>>).get('context')!);
    const programs = lines.map((line) => JSON.parse(line) as Program);
    const wrong: unknown[] = [];
    for (const { template, output, error } of programs) {
      if (output !== undefined && ADDRESS.test(output)) continue;
      const found = await renderTemplate(template, context).then(({ text }) => text, (cause: unknown) => (cause instanceof JinjaError ? undefined : cause));
      if (found !== output) wrong.push({ template, found, output, error });
    }
    report.push(`jinja/cases.jsonl: ${programs.length - wrong.length} of ${programs.length} programs`);
    expect(wrong).toEqual([]);
  });
});

describe('what was wrong before', () => {
  test.each([
    ["{{ '\\n  code'.lstrip('\\n') }}", '  code'],
    ['{% for i in range(3) %}a{% if i == 1 %}b{% break %}{% endif %}c{% endfor %}', 'acab'],
    ['{% for i in range(3) %}a{% if i == 1 %}b{% continue %}{% endif %}c{% endfor %}', 'acabac'],
    ['{{ tools is none }} {{ documents is none }} {{ tools is defined }}', 'True True True'],
    ['{{ 3.0 }} {{ 7 // 2 }} {{ -7 % 3 }} {{ 2 ** 70 }} {{ 1e20 }}', '3.0 3 2 1180591620717411303424 1e+20'],
    ['{{ {"a": "é</s>"}|tojson }}', '{"a": "é</s>"}'],
    ["{{ '😀a'[1] }}{{ '😀a'|length }}", 'a2'],
    ['{% generation %}x{% endgeneration %}', 'x'],
  ])('%s', async (template, expected) => {
    expect((await renderPrompt(template, [])).text).toBe(expected);
  });

  test('a byte-order mark and CRLF of a template file are not in the prompt', async () => {
    expect(await render('\ufeffa\r\nb\r{% if true %}\r\nc\r\n{% endif %}\r\n', {})).toBe('a\nb\nc\n');
  });

  test('raise_exception says what it was given', async () => {
    await expect(renderPrompt("{{ raise_exception('Roles must alternate') }}", [])).rejects.toMatchObject({ code: 'bad-option', found: 'Roles must alternate' });
  });

  test('every directive of strftime', () => {
    const date = new Date(2025, 6, 4, 5, 6, 7);
    const written = strftime(date, '%a %A %b %B %d %e %H %I %j %m %M %p %S %y %Y %u %w %U %W %V %G %% %F %T %D %R %-d %_m %^a %k %l %C %g %h %n%t|');
    expect(written).toBe('Fri Friday Jul July 04  4 05 05 185 07 06 AM 07 25 2025 5 5 26 26 27 2025 % 2025-07-04 05:06:07 07/04/25 05:06 4  7 FRI  5  5 20 25 Jul \n\t|');
  });
});

/** What would take a machine with it. */
const GREEDY = [
  '{% for i in range(1000000000) %}x{% endfor %}',
  '{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}',
  "{{ 'x' * 1000000000 }}",
  "{{ ['x'] * 1000000000 }}",
  "{{ 'x'|center(1000000000) }}",
  "{{ 'x'.ljust(1000000000) }}",
  "{{ 'a\\nb'|indent(1000000000) }}",
  "{{ '%1000000000d' % 1 }}",
  "{{ '%.1000000000f' % 1 }}",
  "{{ '{:1000000000}'.format(1) }}",
  "{{ 'x'.zfill(1000000000) }}",
  "{{ '\\t'.expandtabs(1000000000) }}",
  "{{ 9 ** (9 ** 9) }}",
  "{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
  "{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s|replace('x', 'xx') %}{% endfor %}",
  '{% set ns = namespace(l=[1, 2]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}',
  '{% set ns = namespace(l=[]) %}{% for i in range(99) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}',
  '{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l|tojson }}',
  '{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(1) }}',
  '{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}',
  '{% block a %}{{ self.a() }}{% endblock %}',
  `{{ ${'('.repeat(100_000)}1${')'.repeat(100_000)} }}`,
  `{{ ${'['.repeat(100_000)} }}`,
  `{{ ${'-'.repeat(100_000)}1 }}`,
  `{{ ${'not '.repeat(100_000)}1 }}`,
  `{% if a %}${'{% if a %}'.repeat(100_000)}`,
  "{{ range(99999)|map('string')|map('center', 99999)|list|length }}",
  "{{ (range(99999)|list * 20)|sort|length }}",
  '{{ range(99999)|batch(99999, 0)|list|batch(999999999, 0)|list }}',
  "{{ range(9)|slice(999999999)|list }}",
];

describe('limits', () => {
  test.each(GREEDY)('%.60s ends in one error, soon', async (template) => {
    const start = performance.now();
    await expect(render(template, { messages: [] })).rejects.toMatchObject({ name: 'StonechatError' });
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  test('spaces and marks that patterns could choke on take no time', async () => {
    const spaces = ' '.repeat(200_000);
    const hard = [`${spaces}x`, '<'.repeat(100_000), `a@${'a@'.repeat(50_000)}`, ')'.repeat(100_000) + 'x', '-'.repeat(100_000), '&'.repeat(100_000), '1'.repeat(100_000) + 'x', '%('.repeat(50_000), '{'.repeat(100_000)];
    const ways = ['s.strip()', 's.split()', 's.rsplit(none, 1)', 's|trim', 's|wordwrap', 's|urlize', 's|striptags', 's|int', 's|float', 's|title', 's|wordcount', 's|pprint', "s % {}", 's.format()', 's|tojson'];
    for (const s of hard) for (const way of ways) await render(`{{ ${way} }}`, { s }).catch(() => '');
  }, 60_000);

  test('they can be set, and a signal ends long rendering', async () => {
    await expect(renderPrompt('{% for i in range(100) %}x{% endfor %}', [], {}, { limits: { steps: 50 } })).rejects.toMatchObject({ code: 'bad-option', found: 'more than 50 steps' });
    await expect(renderPrompt('{% for i in range(100) %}x{% endfor %}', [], {}, { limits: { output: 50 } })).rejects.toMatchObject({ found: 'a text of more than 50 characters' });
    const endless = '{% for a in range(99999) %}{% for b in range(99999) %}{% if a %}{% endif %}{% endfor %}{% endfor %}';
    const run = { limits: { steps: 1e15 }, signal: AbortSignal.timeout(300) };
    const start = performance.now();
    await expect(renderPrompt(endless, [], {}, run)).rejects.toMatchObject({ code: 'aborted' });
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  test('three million empty turns are refused', async () => {
    const turns = Array.from({ length: 3_000_000 }, () => ({ role: 'user', content: '' }));
    await expect(renderPrompt('chatml', turns)).rejects.toMatchObject({ code: 'bad-option' });
  }, 60_000);
});

describe('marks', () => {
  const marked = async (template: string, content: unknown, more: Record<string, unknown> = {}) => {
    const { text, marks } = await renderPrompt(template, [{ role: 'user', content, ...more }]);
    expect(marks.length === 0 || marks.length === text.length).toBe(true);
    return [...text].map((char, i) => (marks[i] === '1' ? char : '.')).join('');
  };
  test.each([
    ['[{{ messages[0].content }}]', '.ABCD.'],
    ["{{ '<|' + messages[0].role + '|>' + messages[0].content }}", '........ABCD'],
    ["{{ messages[0]['content']|trim|upper|replace('B', 'xyz') }}", 'A...CD'],
    ["{{ messages[0].content.split('B')[1] }}", 'CD'],
    ["{{ messages[0].content[::-1] }}{{ messages[0].content[1:3] }}", 'DCBABC'],
    ["{{ ['a', messages[0].content]|join('-') }}", '..ABCD'],
    ['{{ messages[0].content|tojson }}', '.ABCD.'],
    ['{{ messages[0]|tojson }}', '..role............content....ABCD..'],
    ["{{ '%s!' % messages[0].content }}{{ '{}'.format(messages[0].content) }}", 'ABCD.ABCD'],
    ["{{ messages[0].content|center(8) }}{{ messages[0].content.ljust(5, '_') }}", '..ABCD..ABCD.'],
    ['{% for c in messages[0].content %}{{ c }},{% endfor %}', 'A.B.C.D.'],
    ['{% set x %}<{{ messages[0].content }}>{% endset %}{{ x|lower|title }}', '.Abcd.'],
    ['{% macro f(x) %}({{ x }}){% endmacro %}{{ f(messages[0].content) }}', '.ABCD.'],
    ['{% filter lower %}X{{ messages[0].content }}{% endfilter %}', '.abcd'],
    ["{{ messages[0].content|first }}{{ messages[0].content|list|last }}{{ messages[0].content|reverse }}", 'ADDCBA'],
  ])('%s', async (template, expected) => {
    expect(await marked(template, 'ABCD')).toBe(expected);
  });
});
