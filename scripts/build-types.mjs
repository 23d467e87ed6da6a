// src/ -> dist/types/. Only emits: `npm run check` is where types are checked.
import { copyFileSync, rmSync } from 'node:fs';
import { SETS } from './build-wasm.mjs';
import { run } from './files.mjs';

export async function buildTypes() {
  rmSync('dist/types', { recursive: true, force: true });
  await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck']);
  const declarations = [...SETS.map(({ types }) => types.file), 'src/entry/default-model.d.ts'];
  for (const file of declarations) copyFileSync(file, file.replace('src/', 'dist/types/')); // tsc leaves declaration files behind
}
