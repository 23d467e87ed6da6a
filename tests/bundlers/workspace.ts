// A folder of projects that have the packed package installed, as an application has it.
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { transform } from 'esbuild';
import { snippets } from '../docs/snippets.js';

/** Where `npm run test:bundlers` has installed the bundlers. */
export const TOOLS = process.env['STONECHAT_BUNDLERS'];
export const WITHOUT_TOOLS = TOOLS === undefined ? 'npm run test:bundlers installs it' : undefined;

/** One for each process of tests, since they install at the same time. */
const ROOT = TOOLS ?? resolve('.cache/bundlers', process.env['VITEST_POOL_ID'] ?? '0');

/** Installs what `npm pack` gives. */
function install(): void {
  const target = join(ROOT, 'node_modules/stonechat');
  mkdirSync(target, { recursive: true });
  const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', ROOT], { encoding: 'utf8' })) as [{ filename: string }];
  for (const name of ['dist', 'package.json']) rmSync(join(target, name), { recursive: true, force: true });
  execFileSync('tar', ['-xzf', join(ROOT, filename), '-C', target, '--strip-components=1']);
  const { dependencies = {} } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies?: object };
  for (const name of Object.keys(dependencies)) copyDependency(name);
}

/** A copy, since Turbopack follows no links out of its root. */
function copyDependency(name: string): void {
  const at = join(ROOT, 'node_modules', name);
  mkdirSync(join(at, '..'), { recursive: true });
  rmSync(at, { recursive: true, force: true });
  cpSync(resolve('node_modules', name), at, { recursive: true });
}

let installed = false;

/** A fresh copy of a folder, beside node_modules. */
export function project(name: string, from: string): string {
  if (!installed) install();
  installed = true;
  const folder = join(ROOT, 'projects', name);
  rmSync(folder, { recursive: true, force: true });
  cpSync(from, folder, { recursive: true });
  if (!existsSync(join(folder, 'package.json'))) writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  return folder;
}

/** The page that every bundler bundles, with README's snippet beside it. */
export async function pageProject(name: string): Promise<string> {
  const folder = project(name, 'tests/bundlers/fixtures/page');
  const snippet = snippets('README.md').find(({ code }) => code.includes('loadInWorker'))!;
  const { code } = await transform(snippet.code, { loader: 'ts' });
  writeFileSync(join(folder, 'snippet.js'), code);
  return folder;
}

/** Runs a command in a project; its output, or an error that shows it. */
export async function command(cwd: string, file: string, list: readonly string[], timeout = 240_000): Promise<string> {
  const path = [join(ROOT, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
  const env = { ...process.env, PATH: path, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1', WRANGLER_SEND_METRICS: 'false', CI: '1', NO_COLOR: '1' };
  try {
    const { stdout, stderr } = await promisify(execFile)(file, list, { cwd, env, timeout, maxBuffer: 64 << 20 });
    return stdout + stderr;
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as { stdout?: string; stderr?: string; message: string };
    throw new Error(`${message}\n${stdout}\n${stderr}`.slice(0, 8000), { cause: error });
  }
}
