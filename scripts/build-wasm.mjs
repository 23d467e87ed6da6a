// assembly/ -> dist/wasm/<set>/*.wasm, one compiler per processor, and the types of what the modules export.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { run, writeIfChanged } from './files.mjs';
import { ALL_SETS, GENERATING, writeTypeExports } from './kernel-sets.mjs';
import { withSharedMemory } from './shared-memory.mjs';

export const CONFIG = 'asconfig.json';
export const targets = () => Object.keys(JSON.parse(readFileSync(CONFIG, 'utf8')).targets);

export const wasmFile = (set, target) => join('dist', 'wasm', set, `${target}.wasm`);
export const wasmOutputs = () => ALL_SETS.flatMap(({ name }) => targets().map((target) => wasmFile(name, target)));

/** Declarations of what the modules export: one file for all that generates, whatever the set. */
export const EXPORT_TYPES = [
  { name: 'KernelExports', file: 'src/kernels/exports.d.ts', sets: GENERATING.map(({ name }) => name) },
  { name: 'TrainExports', file: 'src/kernels/train-exports.d.ts', sets: ['train'] },
  { name: 'BenchExports', file: 'src/kernels/bench-exports.d.ts', sets: ['bench'] },
];
/** Its compiler declares the exports; one target is enough, all have the same. */
const DECLARED = 'simd';

const asc = join('node_modules', 'assemblyscript', 'bin', 'asc.js');
const compile = ({ set: { name, entry, memoryBase }, target }) =>
  run(process.execPath, [
    asc, entry, '--config', CONFIG, '--target', target, '--outFile', wasmFile(name, target), '--memoryBase', String(memoryBase),
    ...(target === DECLARED ? ['--bindings', 'raw'] : []),
  ]);

/** Twins for shared memory are compiled where the source asks for THREADS (assembly/lanes.ts); others differ from the module by its memory alone. */
const isCompiled = ({ set: { threads }, target }) => threads || !target.endsWith(SHARED);
const SHARED = '-shared';

export async function buildWasm() {
  writeTypeExports();
  const jobs = ALL_SETS.flatMap((set) => targets().map((target) => ({ set, target })));
  const queue = jobs.filter(isCompiled);
  for (const { name } of ALL_SETS) mkdirSync(join('dist', 'wasm', name), { recursive: true });
  const worker = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) await compile(job);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  for (const { set, target } of jobs.filter((job) => !isCompiled(job))) {
    writeFileSync(wasmFile(set.name, target), withSharedMemory(readFileSync(wasmFile(set.name, target.replace(SHARED, '')))));
  }
  EXPORT_TYPES.forEach(writeExportTypes);
}

/** Names and arity of every kernel, from the declaration files that asc writes beside the modules. */
function writeExportTypes({ name, file, sets }) {
  const functions = sets.flatMap((set) => declaredIn(join('dist', 'wasm', set, DECLARED)));
  const text = `// Written by scripts/build-wasm.mjs from the compiled modules; do not edit.\nexport interface ${name} {\n${functions.join('\n')}\n}\n`;
  mkdirSync(dirname(file), { recursive: true });
  writeIfChanged(file, text);
}

function declaredIn(stem) {
  const lines = readFileSync(`${stem}.d.ts`, 'utf8').split('\n');
  for (const extension of ['js', 'd.ts']) rmSync(`${stem}.${extension}`, { force: true });
  return lines.flatMap((line) => {
    const found = line.match(/^\s*export function (\w+)\((.*)\): (\w+);/);
    return found ? [`  ${found[1]}(${found[2]}): ${found[3]};`] : [];
  });
}
