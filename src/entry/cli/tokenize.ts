import { tokenizerFromModel } from '../../text/index.js';
import type { EncodeOptions, Tokenizer } from '../../text/types.js';
import type { Arguments } from './arguments.js';
import { json, several, tokenTexts } from './format.js';
import { encodingOptions, host, modelOf, openFile, promptOf, stonechat } from './loading.js';
import { print, printableTable, printLine } from './terminal.js';
import { linesOf } from './texts.js';
import { usage } from './usage.js';

/** Characters of output gathered before they are written. */
const BATCH = 1 << 16;

/** The tokenizer of a file by --tokenizer, or of a model, of which only the vocabulary is read. */
async function tokenizerOf(args: Arguments): Promise<Tokenizer> {
  const named = args.text('tokenizer');
  if (named !== undefined) return stonechat.loadTokenizer(named);
  const file = await openFile(await modelOf(args));
  try {
    return await tokenizerFromModel(file, { build: 'simd', module: await host.compile('simd', false) });
  } finally {
    await file.close();
  }
}

/** Text to ids: a table, --json, or --jsonl line by line. */
export async function tokenize(args: Arguments): Promise<number> {
  const tokenizer = await tokenizerOf(args);
  const options = encodingOptions(args);
  if (args.has('jsonl')) return encodeLines(tokenizer, options, args.has('pieces'));
  const prompt = await promptOf(args);
  if (args.has('pieces')) return showPieces(args, tokenizer, prompt, options);
  const ids = typeof prompt === 'string' ? tokenizer.encode(prompt, options) : Int32Array.from(prompt);
  const tokens = args.has('raw') ? Array.from(ids, (id) => tokenizer.token(id)) : tokenTexts(tokenizer, ids);
  if (args.has('json')) await printLine(json({ ids, tokens }));
  else {
    const rows = tokens.map((token, i) => [String(ids[i]), JSON.stringify(token)]);
    await printLine([printableTable(rows, [0]), several(ids.length, 'token')].filter((part) => part !== '').join('\n'));
  }
  return 0;
}

/** A line each, or an array of them. */
async function showPieces(args: Arguments, tokenizer: Tokenizer, prompt: string | readonly number[], options: EncodeOptions): Promise<number> {
  if (typeof prompt !== 'string') throw usage('a text with --pieces', '--ids', 'Give the text itself.');
  const pieces = tokenizer.pieces(prompt, options);
  if (args.has('json')) await printLine(json({ pieces }));
  else await printLine([...pieces.map((piece) => JSON.stringify(piece)), several(pieces.length, 'piece')].join('\n'));
  return 0;
}

async function encodeLines(tokenizer: Tokenizer, options: EncodeOptions, pieces: boolean): Promise<number> {
  let number = 0;
  let out = '';
  for await (const line of linesOf('-')) {
    number++;
    if (line.trim() === '') continue;
    const text = parseText(line, number);
    out += pieces ? `${json(tokenizer.pieces(text, options))}\n` : `[${tokenizer.encode(text, options).join(',')}]\n`;
    if (out.length < BATCH) continue;
    await print(out);
    out = '';
  }
  await print(out);
  return 0;
}

function parseText(line: string, number: number): string {
  let text: unknown;
  try {
    text = JSON.parse(line);
  } catch {
    text = undefined;
  }
  if (typeof text === 'string') return text;
  throw usage(`a JSON string on line ${number} of standard input`, line.slice(0, 60), 'Write each text as one JSON string on a line of its own.');
}
