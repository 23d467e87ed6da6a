// The code blocks of the documents.
import { readdirSync, readFileSync } from 'node:fs';

export interface Snippet {
  readonly file: string;
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

/** Documents that users read. */
export const DOCUMENTS = ['README.md', ...readdirSync('docs').filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];

/** Blocks between fences, in order. */
export function snippets(file: string): Snippet[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  const found: Snippet[] = [];
  for (let at = 0; at < lines.length; at++) {
    const language = lines[at]!.match(/^```(\w+)$/)?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf('```', at);
    found.push({ file, line: at + 2, language, code: `${lines.slice(at + 1, end).join('\n')}\n` });
    at = end;
  }
  return found;
}

/** Those in JavaScript or TypeScript. */
export const codeSnippets = (): Snippet[] => DOCUMENTS.flatMap(snippets).filter(({ language }) => language === 'ts' || language === 'js');
