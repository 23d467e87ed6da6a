// src/ -> dist/types/. Only emits: `npm run check` is where types are checked.
import { copyFileSync, rmSync } from 'node:fs';
import { run } from './files.mjs';

export async function buildTypes() {
  rmSync('dist/types', { recursive: true, force: true });
  await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck']);
  copyFileSync('src/kernels/exports.d.ts', 'dist/types/kernels/exports.d.ts'); // tsc leaves declaration files behind
}
