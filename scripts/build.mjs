// Builds dist/: the kernel modules, the JavaScript around them, the declarations.
// `--if-stale` builds only what is older than its sources; `--wasm` stops after the kernels.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildJs, jsOutputs } from './build-js.mjs';
import { buildTypes } from './build-types.mjs';
import { buildWasm, CONFIG, wasmOutputs } from './build-wasm.mjs';
import { newest, oldest } from './files.mjs';

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'));
const flags = new Set(process.argv.slice(2));

/** Runs `build` unless its outputs are wanted only if stale and are younger than their sources. */
async function make(what, outputs, sources, build) {
  if (flags.has('--if-stale') && oldest(outputs) > newest(sources)) return;
  const start = Date.now();
  await build();
  console.log(`built ${what} in ${((Date.now() - start) / 1000).toFixed(1)} s`);
}

const tools = ['scripts', 'package.json'];
const js = ['src', 'models', 'tsconfig.json', 'tsconfig.build.json', ...tools];

await make('kernels', wasmOutputs(), ['assembly', CONFIG, 'src/kernels/weight-types.ts', ...['build-wasm', 'kernel-sets', 'shared-memory'].map((name) => `scripts/${name}.mjs`)], buildWasm);
if (!flags.has('--wasm')) {
  await make('javascript', jsOutputs(), [...js, ...wasmOutputs()], buildJs);
  await make('declarations', ['dist/types/entry/node.d.ts'], js, buildTypes);
}
