import { type GgufPart, ggufModel } from './gguf.js';
import { badFile, notFound } from './refuse.js';
import type { ModelFile } from './types.js';

const SHARD = /^(.*)-(\d{5})-of-(\d{5})(\.\w+)$/;

/** Names of all shards, from the name of any: `model-00002-of-00003.gguf`. Undefined for other names. */
export function shardNames(name: string): string[] | undefined {
  const [, stem, , count, extension] = SHARD.exec(name) ?? [];
  if (!count) return undefined;
  return Array.from({ length: Number(count) }, (_, i) => `${stem}-${String(i + 1).padStart(5, '0')}-of-${count}${extension}`);
}

function number({ metadata, source }: GgufPart, key: string, fallback?: number): number {
  const value = metadata.get(key) ?? fallback;
  if (typeof value === 'number') return value;
  throw badFile(`a number under ${key}`, `${value === undefined ? 'nothing' : typeof value} in ${source.name}`, 'These files are not the parts of one split model; name one of them.');
}

/** Files that the model is split into; 1 for a whole one. */
export const splitCount = (part: GgufPart): number => Math.max(1, number(part, 'split.count', 1));

/** Joins the parts of a split model, given in any order. @throws StonechatError `not-found` naming the missing parts. */
export function joinSplit(parts: readonly GgufPart[], name: string, sibling?: ModelFile['sibling']): ModelFile {
  const count = splitCount(parts[0]!);
  const placed = new Map<number, GgufPart>();
  for (const part of parts) {
    const index = number(part, 'split.no');
    if (splitCount(part) !== count || index >= count || placed.has(index)) {
      throw badFile(`each of ${count} parts once`, `${part.source.name} as part ${index + 1} of ${splitCount(part)}`, 'Pass the parts of one model only.');
    }
    placed.set(index, part);
  }
  if (placed.size < count) throw missing(placed, count, name);
  const ordered = [...placed].sort(([a], [b]) => a - b).map(([, part]) => part);
  const tensors = ordered.reduce((sum, part) => sum + part.tensors.length, 0);
  const expected = number(ordered[0]!, 'split.tensors.count', tensors);
  if (tensors !== expected) throw badFile(`${expected} tensors in all parts`, String(tensors));
  return ggufModel(ordered, name, sibling);
}

function missing(placed: ReadonlyMap<number, GgufPart>, count: number, name: string) {
  const first = Array.from({ length: placed.size + 1 }, (_, i) => i).find((i) => !placed.has(i))!;
  return notFound(`all ${count} parts of ${name}`, `${placed.size}; part ${first + 1} is missing`, 'Put all parts in one folder with their own names, or pass them all as an array.');
}
