import { StonechatError } from '../../errors.js';
import { type Rendered, render, renderPrompt, templateSource } from '../../text/chat.js';
import { tokenizerFromModel } from '../../text/index.js';
import type { Tokenizer } from '../../text/types.js';
import type { Arguments } from './arguments.js';
import { json } from './format.js';
import { host, openFile, templateOf } from './loading.js';
import { print, printLine } from './terminal.js';
import { linesOf, readInput, readTextFile } from './texts.js';
import { usage } from './usage.js';

type Variables = Record<string, unknown>;

/** A conversation to show a template by. */
const SAMPLE = [{ role: 'user', content: 'Hello' }];

/** The prompt that a chat template makes, special tokens marked; or --jsonl: templates line by line. */
export async function template(args: Arguments): Promise<number> {
  if (args.has('jsonl')) return renderLines();
  const tokenizer = args.has('model') ? await tokenizerOf(args.text('model')!) : undefined;
  const source = await sourceOf(args, tokenizer);
  const variables = { ...tokenizer?.specialTokens, ...(await variablesOf(args)) };
  const { messages = SAMPLE, ...more } = variables;
  if (!Array.isArray(messages)) throw usage('a list of messages', 'none', 'Write [{ "role": "user", "content": "Hello" }].');
  const rendered = await renderPrompt(source, messages, more);
  const pieces = tokenizer ? piecesOf(rendered, tokenizer) : [{ text: rendered.text, special: false }];
  if (args.has('json')) await printLine(json({ prompt: rendered.text, ...(tokenizer && { tokens: pieces.flatMap(({ ids = [] }) => ids).length, pieces }) }));
  else await printLine(pieces.map(shown).join(''));
  return 0;
}

async function tokenizerOf(model: string): Promise<Tokenizer> {
  const file = await openFile(model);
  try {
    return await tokenizerFromModel(file, { build: 'simd', module: await host.compile('simd', false) });
  } finally {
    await file.close();
  }
}

async function sourceOf(args: Arguments, tokenizer: Tokenizer | undefined): Promise<string | undefined> {
  const [file, ...rest] = args.positionals;
  if (rest.length > 0 || (file !== undefined && args.has('template'))) throw usage('one template', 'more', 'Leave the others out.');
  if (file === '-') return readInput();
  const named = await templateOf(file ?? args.text('template'));
  if (named === undefined && !tokenizer) throw usage('a template', 'none', 'Name its file, or a model by --model.');
  return named === undefined ? tokenizer!.chatTemplate : templateSource(named);
}

/** What the files named by --variables, --messages and --tools hold. */
async function variablesOf(args: Arguments): Promise<Variables> {
  const variables = await readData(args.text('variables'));
  if (variables !== undefined && !(variables instanceof Map)) throw usage('an object in the file of --variables', typeof variables, 'Write { "name": value }.');
  const [messages, tools] = [await readData(args.text('messages')), await readData(args.text('tools'))];
  return { ...Object.fromEntries((variables as Map<string, unknown> | undefined) ?? []), ...(messages !== undefined && { messages }), ...(tools !== undefined && { tools }) };
}

async function readData(path: string | undefined): Promise<unknown> {
  return path === undefined ? undefined : parse(await readTextFile(path), path);
}

async function parse(text: string, where: string): Promise<unknown> {
  const { parseData } = await import('../../text/jinja/json-data.js');
  try {
    return parseData(text);
  } catch (cause) {
    throw new StonechatError({ code: 'bad-file', expected: `JSON in ${where}`, found: (cause as Error).message, remedy: 'Correct it.', cause });
  }
}

interface Piece {
  readonly text: string;
  readonly special: boolean;
  readonly ids?: readonly number[];
}

/** The prompt as the model gets it: special tokens, and the text between them. */
function piecesOf({ text, marks }: Rendered, tokenizer: Tokenizer): Piece[] {
  const ids = tokenizer.encode(text, { parseSpecial: true, addSpecial: false, marks });
  const pieces: { special: boolean; ids: number[] }[] = [];
  for (const id of ids) {
    const special = tokenizer.isSpecial(id);
    const last = pieces.at(-1);
    if (last && !special && !last.special) last.ids.push(id);
    else pieces.push({ special, ids: [id] });
  }
  return pieces.map(({ special, ids: own }) => ({ text: special ? tokenizer.token(own[0]!) : tokenizer.decode(own), special, ids: own }));
}

/** In reverse video at a terminal, in brackets elsewhere. */
const shown = ({ text, special }: Piece): string => (!special ? text : process.stdout.isTTY ? `\u001b[7m${text}\u001b[0m` : `⟦${text}⟧`);

/** `{ "template", "variables" }` a line in, `{ "output" }` or `{ "error" }` a line out. */
async function renderLines(): Promise<number> {
  let number = 0;
  for await (const line of linesOf('-')) {
    number++;
    if (line.trim() === '') continue;
    const where = `line ${number} of standard input`;
    const given = await parse(line, where);
    const source = given instanceof Map ? (given as Map<string, unknown>).get('template') : undefined;
    const variables: unknown = given instanceof Map ? ((given as Map<string, unknown>).get('variables') ?? new Map()) : undefined;
    if (typeof source !== 'string' || !(variables instanceof Map)) throw usage(`{ "template": TEXT, "variables": { … } } on ${where}`, line.slice(0, 60), 'Write one object a line.');
    await print(`${json(await answerTo(source, Object.fromEntries(variables as Map<string, unknown>)))}\n`);
  }
  return 0;
}

async function answerTo(source: string, variables: Variables): Promise<{ output: string } | { error: string }> {
  try {
    return { output: await render(source, variables) };
  } catch (error) {
    if (error instanceof StonechatError) return { error: error.found };
    throw error;
  }
}
