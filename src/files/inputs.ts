import type { ModelInput } from './index.js';
import { baseName, beside, inside } from './place.js';
import { shardNames } from './split.js';

type List = (location: string) => Promise<string[] | undefined>;

/** Files that go with weights: settings, tokenizers, templates, other parts. */
const BELONGS = /\.(json|safetensors|model|jinja|tiktoken)$|^(vocab|merges)\.txt$|tok(enizer|\d+)\.bin$/i;
const isGguf = (name: string): boolean => /\.gguf$/i.test(name);

/**
 * Where the files lie that a model, or a tokenizer, is read from: all of a folder, all parts of a split model, what stands beside
 * weights. For Host.checkOutputs; bytes and streams have no place.
 */
export async function inputFiles(input: ModelInput | undefined, list: List): Promise<string[]> {
  if (Array.isArray(input)) return (await Promise.all(input.map((one: unknown) => placesOf(one, list)))).flat();
  return placesOf(input, list);
}

async function placesOf(input: unknown, list: List): Promise<string[]> {
  if (input instanceof URL) return placesOf(input.href, list);
  if (typeof input !== 'string' || input === '') return [];
  const names = await list(input);
  if (names) return filesRead(names).map((name) => inside(input, name));
  const parts = shardNames(baseName(input))?.map((name) => beside(input, name)) ?? [];
  if (isGguf(input)) return [input, ...parts]; // it has all in itself
  const around = (await list(beside(input, '') || '.')) ?? [];
  return [input, ...parts, ...around.filter((name) => BELONGS.test(name)).map((name) => beside(input, name))];
}

/** A folder of Hugging Face is read without the GGUF files that may have been made of it. */
function filesRead(names: readonly string[]): readonly string[] {
  const isHuggingFace = names.includes('config.json') && names.some((name) => name.endsWith('.safetensors'));
  return isHuggingFace ? names.filter((name) => !isGguf(name)) : names;
}
