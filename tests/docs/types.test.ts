// The declarations, and all snippets of the documents, under strict TypeScript as an application has it: every way to
// resolve modules, without skipLibCheck and without @types/node.
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { project } from '../bundlers/workspace.js';
import { codeSnippets } from './snippets.js';

const TSC = resolve('node_modules/typescript/bin/tsc');
const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, unknown> };
const ENTRIES = Object.keys(exports).filter((name) => typeof exports[name] === 'object').filter((name) => !name.includes('*')).map((name) => name.replace(/^\./, 'stonechat'));

const OPTIONS = { target: 'es2022', strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false, noEmit: true, types: [] };
const RESOLUTIONS = {
  node16: { module: 'node16', moduleResolution: 'node16' },
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
};

let folder: string;

/** What tsc says about `files`. */
async function compile(name: string, files: readonly string[], options: object): Promise<string> {
  const config = join(folder, `${name}.json`);
  writeFileSync(config, JSON.stringify({ compilerOptions: { ...OPTIONS, ...options }, files }));
  return promisify(execFile)(process.execPath, [TSC, '-p', config], { cwd: folder }).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
}

beforeAll(() => {
  folder = project('types', 'tests/docs');
  const imports = ENTRIES.map((name, i) => `import * as entry${i} from '${name}';\nvoid entry${i};`);
  writeFileSync(join(folder, 'entries.ts'), `${imports.join('\n')}\n`);
  writeFileSync(join(folder, 'using.ts'), `import { load } from 'stonechat';\nusing model = await load('x');\nusing session = model.createSession();\nvoid session;\n`);
  for (const { file, line, code } of codeSnippets()) writeFileSync(join(folder, nameOf(file, line)), `export {};\n${code}`);
});

const nameOf = (file: string, line: number): string => `${file.replaceAll(/[/.]/g, '-')}-${line}.ts`;
const names = codeSnippets().map(({ file, line }) => nameOf(file, line));

/** Programs are large, and machines of tests small. */
const PATIENCE = 120_000;

describe('under strict TypeScript', () => {
  it.each(Object.entries(RESOLUTIONS))('all entries and snippets compile with module resolution %s', async (name, options) => {
    expect(names.length).toBeGreaterThan(10);
    expect(await compile(name, ['globals.d.ts', 'entries.ts', 'using.ts', ...names], options)).toBe('');
  }, PATIENCE);

  it('the entries compile in a project of a Node without the libraries of browsers', async () => {
    const options = { ...RESOLUTIONS.nodenext, lib: ['es2022'], types: ['node'], typeRoots: [resolve('node_modules/@types')] };
    expect(await compile('node-only', ['entries.ts'], options)).toBe('');
  });
});
