// The floors of ARCHITECTURE (CONTRIBUTING.md): a file imports only from its own floor and those above it in this list.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

/**
 * Prefixes below src/, the longest match wins. `host/host.ts` is the contract that everything is written against; the hosts
 * themselves open files, so they stand just below the entries that bind them.
 */
const FLOORS = [
  'errors.ts', 'host/host.ts', 'kernels/', 'files/', 'graph/', 'ops/', 'models/',
  'files/huggingface.ts', 'files/safetensors.ts', 'files/huggingface-writer.ts', 'files/index.ts', 'files/inputs.ts', 'text/', 'plan/', 'run/',
  'sample/', 'generate/', 'remote/', 'judge/', 'train/', 'bench/', 'host/', 'entry/',
] as const;
/** The rooms of src/train, in their order. */
const TRAINING = ['data', 'loop', 'tokenizer', 'convert', 'ngram', 'pretraining', 'tuning', 'report'];
const HOST_WORDS = [/['"]node:/, /\bprocess\./, /\bnavigator\b/, /\bDeno\b/, /\bBun\b/];

const walk = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|(?<![:'"])\/\/.*$/gm, '');
const source = (path: string): string => withoutComments(readFileSync(path, 'utf8'));

const files = walk('src').filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'));
/** -1: none. */
const floor = (path: string): number => {
  const found = FLOORS.filter((prefix) => relative('src', path).startsWith(prefix)).toSorted((a, b) => b.length - a.length)[0];
  return found === undefined ? -1 : FLOORS.indexOf(found);
};

/** Relative imports of a file, type-only ones too, as paths of existing sources. */
function importsOf(path: string): string[] {
  const specifiers = [...source(path).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"]+)['"]/g)].map((match) => match[1]!);
  return specifiers.map((specifier) => normalize(join(dirname(path), specifier)).replace(/\.js$/, '.ts')).filter((target) => files.includes(target));
}
const graph = new Map(files.map((path) => [path, importsOf(path)]));

/** A ring of imports that starts and ends at `path`, if there is one. */
function cycleFrom(path: string): string[] | undefined {
  const seen = new Set<string>();
  const search = (at: string, trail: string[]): string[] | undefined => {
    for (const next of graph.get(at) ?? []) {
      if (next === path) return [...trail, next];
      if (seen.has(next)) continue;
      seen.add(next);
      const found = search(next, [...trail, next]);
      if (found) return found;
    }
    return undefined;
  };
  return search(path, [path]);
}

describe('src/', () => {
  it('has a floor for every file', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.filter((path) => floor(path) < 0)).toEqual([]);
  });

  it('imports only from its own floor and the floors before it', () => {
    const against = [...graph].flatMap(([from, targets]) => targets.filter((to) => floor(to) > floor(from)).map((to) => `${from} -> ${to}`));
    expect(against).toEqual([]);
  });

  it('has no cycles', () => {
    expect(files.map(cycleFrom).filter((cycle) => cycle !== undefined).map((cycle) => cycle.join(' -> '))).toEqual([]);
  });

  it('has no link between generate and train', () => {
    const rooms = (path: string) => relative('src', path).split('/')[0];
    const links = [...graph].flatMap(([from, targets]) => targets.map((to) => [rooms(from), rooms(to)].sort().join('-')));
    expect(links).not.toContain('generate-train');
  });

  it('has rooms of training that import only from those before them', () => {
    const room = (path: string) => TRAINING.indexOf(relative('src/train', path).split('/')[0]!);
    const files = [...graph].filter(([path]) => path.startsWith('src/train/'));
    expect(files.filter(([path]) => room(path) < 0).map(([path]) => path)).toEqual([]);
    const against = files.flatMap(([from, targets]) => targets.filter((to) => room(to) > room(from)).map((to) => `${from} -> ${to}`));
    expect(against).toEqual([]);
  });

  it('names no runtime outside host/ and entry/', () => {
    const upstairs = files.filter((path) => !/^src\/(host|entry)\//.test(path));
    const sniffing = upstairs.flatMap((path) => HOST_WORDS.filter((word) => word.test(source(path))).map((word) => `${path}: ${word}`));
    expect(sniffing).toEqual([]);
  });

  it('imports with the extension, and packages only where they are bundled or declared', () => {
    const allowed = /^(node:.*|#kernels|#train-kernels|#bench-kernels|#default-model|tinybench|#worker\/(model-)?(node|web)|@assemblyscript\/loader|\..*\.js)$/;
    const wrong = files.flatMap((path) =>
      [...source(path).matchAll(/^(?:import|export)\b[^;]*?\bfrom\s+['"]([^'"]+)['"]/gm)]
        .map((match) => match[1]!)
        .filter((specifier) => !allowed.test(specifier))
        .map((specifier) => `${path}: ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe('assembly/', () => {
  const kernels = walk('assembly').filter((path) => path.endsWith('.ts'));

  it('names instruction sets only in lanes.ts', () => {
    const naming = kernels.filter((path) => path !== 'assembly/lanes.ts' && /ASC_FEATURE_/.test(source(path)));
    expect(naming).toEqual([]);
  });

  it('exports from index.ts by re-export only', () => {
    const rest = source('assembly/index.ts').replace(/export\s*(\{[^}]*\}|\*)\s*from\s*'[^']+';/g, '').trim();
    expect(rest).toBe('');
  });
});
