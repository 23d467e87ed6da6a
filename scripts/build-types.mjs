// src/ -> dist/types/. Only emits: `npm run check` is where types are checked.
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { EXPORT_TYPES } from './build-wasm.mjs';
import { run } from './files.mjs';

export async function buildTypes() {
  rmSync('dist/types', { recursive: true, force: true });
  await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck']);
  const declarations = [...EXPORT_TYPES.map(({ file }) => file), 'src/entry/default-model.d.ts', 'src/entry/kernel-module.d.ts', 'src/host/webassembly.d.ts'];
  for (const file of declarations) copyFileSync(file, file.replace('src/', 'dist/types/')); // tsc leaves declaration files behind
  const host = 'dist/types/host/host.d.ts'; // every entry reaches it
  writeFileSync(host, `/// <reference path="./webassembly.d.ts" />\n${readFileSync(host, 'utf8')}`);
}
