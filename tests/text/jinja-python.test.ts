// Our Jinja against Python's Jinja2: the same text, or both refuse. Real chat templates with several conversations, and the
// filters, tests and methods of Jinja's manual.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { JinjaError, renderTemplate } from '../../src/text/jinja/index.js';
import { parseData } from '../../src/text/jinja/json-data.js';
import { hasShared, noShared, readSharedJson } from './support/shared.js';

const SCRIPT = join(import.meta.dirname, 'support/jinja-reference.py');
const runs = (python: string): boolean => spawnSync(python, ['-c', 'import jinja2; assert jinja2.__version__ >= "3.1"']).status === 0;
const python = [process.env['STONECHAT_PYTHON'], '/opt/ref/bin/python', 'python3'].find((one) => one !== undefined && runs(one));
const reason = python ? '' : ' (skipped: no Python with jinja2, for instance python3-jinja2 of Debian; STONECHAT_PYTHON names one)';

interface Program {
  readonly template: string;
  /** JSON, so that 3.0 stays a float on both sides. */
  readonly variables: string;
}
type Answer = { output: string } | { error: string };

function pythonAnswers(programs: readonly Program[]): Answer[] {
  const input = programs.map(({ template, variables }) => `{"template": ${JSON.stringify(template)}, "variables": ${variables}}`).join('\n');
  const { stdout, stderr, status } = spawnSync(python!, [SCRIPT], { input, encoding: 'utf8', maxBuffer: 1 << 28, env: { ...process.env, PYTHONIOENCODING: 'utf-8' } });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim().split('\n').map((line) => JSON.parse(line) as Answer);
}

const own = ({ template, variables }: Program): Promise<string | undefined> =>
  renderTemplate(template, Object.fromEntries(parseData(variables) as Map<string, unknown>)).then(({ text }) => text, (cause: unknown) => {
    if (cause instanceof JinjaError) return undefined;
    throw cause;
  });

async function differences(programs: readonly Program[], answers = pythonAnswers(programs)): Promise<unknown[]> {
  const wrong: unknown[] = [];
  for (const [i, program] of programs.entries()) {
    const answer = answers[i]!;
    const found = await own(program);
    if (found !== ('output' in answer ? answer.output : undefined)) wrong.push({ template: program.template.slice(0, 200), variables: program.variables.slice(0, 200), found, answer });
  }
  return wrong;
}

const CALL = { id: 'a1b2c3d4e', type: 'function', function: { name: 'weather', arguments: { city: 'Zürich', days: [1, 2.5, null, true], note: '<|im_end|> "x"' } } };
const CONVERSATIONS: readonly unknown[] = [
  [{ role: 'user', content: 'Hi, it\'s <b>me</b>' }],
  [{ role: 'system', content: ' Be brief. ' }, { role: 'user', content: 'A\n  code\n' }, { role: 'assistant', content: '\n\n  x = 1\n' }, { role: 'user', content: '😀 é' }],
  [{ role: 'user', content: 'Q' }, { role: 'assistant', content: '<think>\nhm\n</think>\n\n  A', reasoning_content: 'hm' }, { role: 'user', content: 'Q2' }],
  [{ role: 'user', content: 'W?' }, { role: 'assistant', content: '', tool_calls: [CALL] }, { role: 'tool', name: 'weather', tool_call_id: 'a1b2c3d4e', content: '{"t": 20.0}' }],
  [{ role: 'user', content: 'W?' }, { role: 'assistant', content: null, tool_calls: [CALL, CALL] }, { role: 'tool', content: 'sun' }, { role: 'tool', content: 'rain' }, { role: 'assistant', content: 'Sun.' }],
  [{ role: 'user', content: [{ type: 'text', text: 'part' }, { type: 'image' }] }],
  [{ role: 'assistant', content: 'first' }, { role: 'assistant', content: 'again' }],
  [{ role: 'system', content: 'only' }],
  [],
];
const TOOLS = [{ type: 'function', function: { name: 'weather', description: 'Get "it"', parameters: { type: 'object', properties: { city: { type: 'string', description: 'é' } }, required: ['city'] } } }];
const FLAGS = [{ add_generation_prompt: true }, { add_generation_prompt: false, enable_thinking: false }, { add_generation_prompt: true, enable_thinking: true, documents: [{ title: 'T', text: 'D' }] }];

/** Each is put in place of X: values of every kind. */
const VALUES = ["'Hello World'", "'  é✓\\tTab\\nline two  '", "'<b>it&amp;s</b> http://a.org/x (www.b.com), me@c.de'", "''", '7', '-3', '2.5', '1e20', 'true', 'none', 'undefined_name', '[3, 1, 2, 3]', "['b', 'A', 'a']", "{'b': 2, 'a': [1, 'x']}", '(1, 2)', 'range(4)', 'people', '[]', '{}', "'42.7'", "'a,b,,c'"];
const WAYS = [
  'X|abs', 'X|attr("upper")', 'X|batch(2, "-")|list', 'X|capitalize', 'X|center(21)', 'X|count', 'X|default("d")', 'X|default("d", true)', 'X|dictsort', 'X|dictsort(true, "value", true)', 'X|e',
  'X|filesizeformat', 'X|filesizeformat(true)', 'X|first', 'X|float', 'X|float(1.5)', 'X|forceescape', 'X|format(1)', '"%s|%r|%5.1f"|format(X, X, 2)', 'X|groupby("age")', 'X|indent', 'X|indent(2, true, true)', 'X|int', 'X|int(5, 16)',
  'X|items|list', 'X|join(", ")', 'X|join("-", attribute="name")', 'X|last', 'X|length', 'X|list', 'X|lower', 'X|map("string")|list', 'X|map(attribute="name", default="?")|list', 'X|max', 'X|min', 'X|pprint', 'X|reject("odd")|list',
  'X|rejectattr("age", "gt", 26)|list', 'X|replace("l", "L", 1)', 'X|reverse|list', 'X|round', 'X|round(1, "ceil")', 'X|round(-1, "floor")', 'X|safe', 'X|select|list', 'X|selectattr("age")|list', 'X|slice(3, 0)|list', 'X|sort', 'X|sort(true, true)',
  'X|sort(attribute="age,name")', 'X|string', 'X|striptags', 'X|sum', 'X|sum(attribute="age", start=1)', 'X|title', 'X|tojson', 'X|tojson(indent=2)', 'X|tojson(ensure_ascii=true, sort_keys=true)', 'X|trim', 'X|trim("H ")', 'X|truncate(8)', 'X|truncate(8, true, "..", 0)',
  'X|unique|list', 'X|upper', 'X|urlencode', 'X|urlize', 'X|urlize(10, true, "_blank")', 'X|wordcount', 'X|wordwrap(6)', 'X|wordwrap(6, false, "|")', 'X|xmlattr',
  'X is boolean', 'X is callable', 'X is defined', 'X is divisibleby 2', 'X is eq 7', 'X is escaped', 'X is even', 'X is false', 'X is float', 'X is ge 2', 'X is gt 2', 'X is in [7, "a"]', 'X is integer', 'X is iterable', 'X is le 2', 'X is lower', 'X is lt 2',
  'X is mapping', 'X is ne 7', 'X is none', 'X is number', 'X is odd', 'X is sequence', 'X is string', 'X is true', 'X is undefined', 'X is upper', '"abs" is filter', '"odd" is test',
  'X.lstrip("H")', 'X.rstrip()', 'X.strip(" \\n")', 'X.split()', 'X.split("l")', 'X.split(",", 1)', 'X.rsplit(none, 1)', 'X.splitlines()', 'X.title()', 'X.casefold()', 'X.swapcase()', 'X.startswith("H")', 'X.endswith(("d", "c"))', 'X.find("o")', 'X.rfind("o", 2)',
  'X.count("l")', 'X.partition(" ")', 'X.rpartition(",")', 'X.removeprefix("He")', 'X.removesuffix("ld")', 'X.zfill(12)', 'X.ljust(12, "-")', 'X.expandtabs(4)', 'X.isalpha()', 'X.isdigit()', 'X.isspace()', 'X.istitle()', 'X.join(["a", "b"])', '"{0}/{0!r:>12}".format(X)', '"{:,.2f}".format(X)',
  'X.get("a")', 'X.get("q", 1)', 'X.items()|list', 'X.keys()|list', 'X.values()|list', 'X.index(1)', 'X[0]', 'X[-1]', 'X[1:3]', 'X[::-1]', 'X["a"]', 'X.a', 'X.a.b', 'X + X', 'X * 2', 'X ~ X', 'X - 1', 'X / 2', 'X // 2', 'X % 2', 'X ** 2', '-X', 'not X',
  'X == X', 'X != 7', 'X < 3', 'X in X', '1 in X', '"a" in X', 'X and 1', 'X or 1', '1 if X else 2', '{% for i in X %}{{ loop.index }}{{ i }}{{ loop.last }}{% else %}none{% endfor %}', '{% set a, b = X %}{{ a }}{{ b }}', '{% for a, b in X %}{{ a }}{% endfor %}',
];
const PEOPLE = '{"people": [{"name": "Bo", "age": 30}, {"name": "al", "age": 25}, {"name": "Cy", "age": 30}]}';
const written = (way: string, value: string): string => (way.startsWith('{%') ? way : `{{ ${way} }}`).replaceAll('X', value.length > 8 && !/^['"[({]/.test(value) ? value : `(${value})`);
/** Addresses of objects are not the same twice, not even in Python. */
const hasAddress = (answer: Answer): boolean => 'output' in answer && /object at 0x|built-in method/i.test(answer.output);

describe.skipIf(!python)(`beside Python's Jinja2${reason}`, () => {
  test('filters, tests, methods and operators on values of every kind', async () => {
    const all = WAYS.flatMap((way) => VALUES.map((value): Program => ({ template: written(way, value), variables: PEOPLE })));
    const answers = pythonAnswers(all);
    const told = all.map((_, i) => i).filter((i) => !hasAddress(answers[i]!));
    expect(await differences(told.map((i) => all[i]!), told.map((i) => answers[i]!))).toEqual([]);
  }, 120_000);

  test.skipIf(!hasShared)(`real chat templates with conversations of many kinds (${noShared} otherwise)`, async () => {
    const { cases } = readSharedJson<{ cases: { chat_template: string; data: Record<string, unknown> }[] }>('chat-templates/chat-templates.json');
    const templates = [...new Set(cases.map(({ chat_template }) => chat_template))].filter((template) => !template.includes('strftime_now'));
    const common = { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>', tools: null, documents: null };
    const variables = CONVERSATIONS.flatMap((messages) => FLAGS.flatMap((flags) => [{ ...common, ...flags, messages }, { ...common, ...flags, messages, tools: TOOLS }]));
    const programs = [
      ...cases.filter(({ chat_template }) => templates.includes(chat_template)).map(({ chat_template, data }): Program => ({ template: chat_template, variables: JSON.stringify(data) })),
      ...templates.flatMap((template) => variables.map((one): Program => ({ template, variables: JSON.stringify(one) }))),
    ];
    expect(await differences(programs)).toEqual([]);
  }, 120_000);
});
