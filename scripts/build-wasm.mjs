// assembly/ -> dist/wasm/<target>.wasm, one compiler per processor, and src/kernels/exports.d.ts.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run, writeIfChanged } from './files.mjs';

export const targets = () => Object.keys(JSON.parse(readFileSync('asconfig.json', 'utf8')).targets);
export const wasmOutputs = () => targets().map((target) => `dist/wasm/${target}.wasm`);

const asc = join('node_modules', 'assemblyscript', 'bin', 'asc.js');
/** `--bindings raw` makes asc declare the exports; one target is enough, all have the same. */
const compile = (target) => run(process.execPath, [asc, '--target', target, ...(target === 'simd' ? ['--bindings', 'raw'] : [])]);

export async function buildWasm() {
  mkdirSync('dist/wasm', { recursive: true });
  const queue = targets();
  const worker = async () => {
    for (let target = queue.shift(); target; target = queue.shift()) await compile(target);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  writeExportTypes();
}

/** Names and arity of every kernel, from the declaration file that asc writes beside the simd module. */
function writeExportTypes() {
  const lines = readFileSync('dist/wasm/simd.d.ts', 'utf8').split('\n');
  const functions = lines.flatMap((line) => {
    const found = line.match(/^\s*export function (\w+)\((.*)\): (\w+);/);
    return found ? [`  ${found[1]}(${found[2]}): ${found[3]};`] : [];
  });
  const text = `// Written by scripts/build-wasm.mjs from the compiled module; do not edit.\nexport interface KernelExports {\n${functions.join('\n')}\n}\n`;
  writeIfChanged('src/kernels/exports.d.ts', text);
  for (const file of ['simd.js', 'simd.d.ts']) rmSync(join('dist/wasm', file), { force: true });
}
