// assembly/ -> dist/wasm/*.wasm, one compiler per processor, and the types of what the modules export.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { run, writeIfChanged } from './files.mjs';
import { sharedTwin } from './shared-twin.mjs';

const configuration = (file) => JSON.parse(readFileSync(file, 'utf8'));
/**
 * The sets of kernels: those that generate, those that only training needs, the probes of `stonechat bench`. Every set has the
 * same targets. `meets`: threads meet in it, so that its modules for shared memory are code of their own.
 */
export const SETS = [
  { name: 'kernels', config: 'asconfig.json', folder: 'dist/wasm', meets: true, types: { name: 'KernelExports', file: 'src/kernels/exports.d.ts' } },
  { name: 'train-kernels', config: 'asconfig.train.json', folder: 'dist/wasm/train', types: { name: 'TrainExports', file: 'src/kernels/train-exports.d.ts' } },
  { name: 'bench-kernels', config: 'asconfig.bench.json', folder: 'dist/wasm/bench', types: { name: 'BenchExports', file: 'src/kernels/bench-exports.d.ts' } },
];

export const targets = () => Object.keys(configuration('asconfig.json').targets);
export const wasmOutputs = () => SETS.flatMap(({ folder }) => targets().map((target) => join(folder, `${target}.wasm`)));

const asc = join('node_modules', 'assemblyscript', 'bin', 'asc.js');
/** `--bindings raw` makes asc declare the exports; one target is enough, all have the same. */
const compile = ({ set, target }) =>
  run(process.execPath, [asc, '--config', set.config, '--target', target, ...(target === 'simd' ? ['--bindings', 'raw'] : [])]);

const SHARED = '-shared';

/** Half of the compiler's work: without threads that meet, only the imported memory tells a module from its twin. */
function writeTwin({ set, target }) {
  const most = configuration(set.config).targets[target].maximumMemory;
  const file = (name) => join(set.folder, `${name}.wasm`);
  writeFileSync(file(target), sharedTwin(readFileSync(file(target.replace(SHARED, ''))), most));
}

export async function buildWasm() {
  const isTwin = (set, target) => !set.meets && target.endsWith(SHARED);
  const jobs = SETS.flatMap((set) => targets().map((target) => ({ set, target })));
  const queue = jobs.filter(({ set, target }) => !isTwin(set, target));
  for (const { folder } of SETS) mkdirSync(folder, { recursive: true });
  const worker = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) await compile(job);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  jobs.filter(({ set, target }) => isTwin(set, target)).forEach(writeTwin);
  SETS.forEach(writeExportTypes);
}

/** Names and arity of every kernel, from the declaration file that asc writes beside the simd module. */
function writeExportTypes({ folder, types }) {
  const lines = readFileSync(join(folder, 'simd.d.ts'), 'utf8').split('\n');
  const functions = lines.flatMap((line) => {
    const found = line.match(/^\s*export function (\w+)\((.*)\): (\w+);/);
    return found ? [`  ${found[1]}(${found[2]}): ${found[3]};`] : [];
  });
  const text = `// Written by scripts/build-wasm.mjs from the compiled module; do not edit.\nexport interface ${types.name} {\n${functions.join('\n')}\n}\n`;
  mkdirSync(dirname(types.file), { recursive: true });
  writeIfChanged(types.file, text);
  for (const file of ['simd.js', 'simd.d.ts']) rmSync(join(folder, file), { force: true });
}
