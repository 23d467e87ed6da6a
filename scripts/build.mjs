// Builds dist/: the six kernel modules, then the JavaScript. `--if-stale` does nothing when dist/ is newer
// than every source; `--wasm` builds the kernels only.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
process.chdir(root);
const flags = new Set(process.argv.slice(2));
const targets = Object.keys(JSON.parse(readFileSync('asconfig.json', 'utf8')).targets);

const newest = (path) => {
  const info = statSync(path);
  if (!info.isDirectory()) return info.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
};
const oldest = (files) => (files.every(existsSync) ? Math.min(...files.map((f) => statSync(f).mtimeMs)) : 0);

const run = (command, args) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${args.join(' ')}: exit code ${code}`))));
  });

/** Names and arity of every kernel, from the declaration file that asc writes for the simd target. */
function writeExportTypes() {
  const lines = readFileSync('dist/wasm/simd.d.ts', 'utf8').split('\n');
  const functions = lines.flatMap((line) => {
    const found = line.match(/^\s*export function (\w+)\((.*)\): (\w+);/);
    return found ? [`  ${found[1]}(${found[2]}): ${found[3]};`] : [];
  });
  const text = `// Written by scripts/build.mjs from the compiled module; do not edit.\nexport interface KernelExports {\n${functions.join('\n')}\n}\n`;
  const file = 'src/kernels/exports.d.ts';
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
}

async function buildWasm() {
  mkdirSync('dist/wasm', { recursive: true });
  const asc = join('node_modules', 'assemblyscript', 'bin', 'asc.js');
  const build = (target) => run(process.execPath, [asc, '--target', target, ...(target === 'simd' ? ['--bindings', 'raw'] : [])]);
  for (let i = 0; i < targets.length; i += 2) await Promise.all(targets.slice(i, i + 2).map(build));
  writeExportTypes();
}

const wasm = targets.map((t) => `dist/wasm/${t}.wasm`);
const wasmStale = oldest(wasm) < Math.max(newest('assembly'), newest('asconfig.json'));
if (!flags.has('--if-stale') || wasmStale) await buildWasm();
