// Texts from files and standard input: UTF-8 without its mark, line ends as \n, piece by piece where they may be long.
import { createReadStream } from 'node:fs';
import { StonechatError } from '../../errors.js';
import { Utf8Reader } from '../../files/utf8.js';
import { unreadable } from '../../host/node-files.js';
import { END_OF_TEXT, streamDocuments } from '../../train/data/corpus.js';
import { parseJson } from './json.js';

/** Longest string that every engine can have. */
const MOST_CHARACTERS = 500_000_000;
const PIECE_BYTES = 1 << 20;

/** The text of a file, or of standard input for `-`, in pieces. @throws StonechatError `not-found`, `unavailable`, `bad-file`. */
export async function* textOf(path: string): AsyncGenerator<string> {
  const name = path === '-' ? 'standard input' : path;
  const reader = new Utf8Reader(name);
  const chunks: AsyncIterable<Uint8Array> = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: PIECE_BYTES });
  try {
    for await (const chunk of chunks) yield reader.push(chunk);
  } catch (error) {
    throw error instanceof StonechatError ? error : unreadable(name, error as NodeJS.ErrnoException);
  }
  yield reader.end();
}

/** @throws StonechatError as `textOf`; `bad-file` where it is longer than a text can be. */
export async function readTextFile(path: string): Promise<string> {
  const pieces: string[] = [];
  let length = 0;
  for await (const piece of textOf(path)) {
    length += piece.length;
    if (length > MOST_CHARACTERS) throw tooLong(path);
    pieces.push(piece);
  }
  return pieces.join('');
}

const tooLong = (path: string) =>
  new StonechatError({ code: 'bad-file', expected: `at most ${MOST_CHARACTERS} characters in ${path}`, found: 'more', remedy: 'Split the file, or use one of lines (.jsonl).' });

/** All of standard input, without the last line break. */
export const readInput = async (): Promise<string> => (await readTextFile('-')).replace(/\n$/, '');

/** Lines, without their ends. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of textOf(path)) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/** The documents of files, one by one: what stands between separators, without the line ends around it. */
export async function* documentsOf(paths: readonly string[], separator = END_OF_TEXT): AsyncGenerator<string> {
  for (const path of paths) yield* streamDocuments(textOf(path), separator);
}

/** The values of a .jsonl file, line by line, at most `most`. @throws StonechatError `bad-file` naming the line. */
export async function* jsonLinesOf(path: string, most = Infinity): AsyncGenerator<unknown> {
  let number = 0, found = 0;
  for await (const line of linesOf(path)) {
    number++;
    if (line.trim() === '') continue;
    if (found++ >= most) return;
    yield parseJson(line, `line ${number} of ${path}`);
  }
}
