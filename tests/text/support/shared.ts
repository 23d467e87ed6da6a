import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openModel } from '../../../src/files/index.js';
import { listFolder, openLocation } from '../../../src/host/node-files.js';
import type { Build } from '../../../src/kernels/instance.js';
import { tokenizerFromFile, tokenizerFromModel, type KernelSource, type Tokenizer } from '../../../src/text/index.js';

/** ../shared/data beside the project: real vocabularies and texts that are not part of it. */
export const SHARED = fileURLToPath(new URL('../../../../shared/data/', import.meta.url));
export const hasShared = existsSync(SHARED);
export const noShared = 'needs ../shared/data, which is not here';
export const readShared = (path: string): Uint8Array => new Uint8Array(readFileSync(SHARED + path));
export const readSharedText = (path: string): string => readFileSync(SHARED + path, 'utf8');
export const readSharedJson = <T>(path: string): T => JSON.parse(readFileSync(SHARED + path, 'utf8')) as T;

const sources = new Map<Build, KernelSource>();
export function kernelsOf(build: Build): KernelSource {
  const file = fileURLToPath(new URL(`../../../dist/wasm/core/${build}.wasm`, import.meta.url));
  const source = sources.get(build) ?? { module: new WebAssembly.Module(readFileSync(file)), build };
  sources.set(build, source);
  return source;
}
export const kernels = kernelsOf('simd');

const opened = new Map<string, Promise<Tokenizer>>();
/** Opens a tokenizer once: they are read-only, and large. */
function once(key: string, open: () => Promise<Tokenizer>): Promise<Tokenizer> {
  const tokenizer = opened.get(key) ?? open();
  opened.set(key, tokenizer);
  return tokenizer;
}

/** The tokenizer of a GGUF file or a model folder. */
export const modelTokenizer = (path: string, from = kernels): Promise<Tokenizer> => once(`${path} ${from.build}`, () => openModelTokenizer(path, from));
async function openModelTokenizer(path: string, from: KernelSource): Promise<Tokenizer> {
  const file = await openModel(SHARED + path, { open: openLocation, list: listFolder });
  try {
    return await tokenizerFromModel(file, from);
  } finally {
    await file.close();
  }
}

/** A tokenizer file, with what lies beside it. */
export function fileTokenizer(path: string, from = kernels, name = path): Promise<Tokenizer> {
  const folder = SHARED + path.slice(0, path.lastIndexOf('/') + 1);
  const sibling = async (companion: string) => (existsSync(folder + companion) ? new Uint8Array(readFileSync(folder + companion)) : undefined);
  return once(`${name} ${from.build}`, () => tokenizerFromFile(name, readShared(path), from, sibling));
}
