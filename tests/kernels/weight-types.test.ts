// The one list of weight types (src/kernels/weight-types.ts), beside what assembly/weights/<type>.ts says, and what is made of both.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LAYOUTS } from '../../src/files/dtypes.js';
import { DTYPES } from '../../src/files/types.js';
import { instantiateKernels } from '../../src/kernels/instance.js';
import { ALL_SETS, setsOf } from '../../src/kernels/sets.js';
import { load, loadTrain, moduleAt } from './support.js';

type Answers = Record<string, (...sizes: number[]) => number>;
const { exports } = loadTrain('simd');
const answers = exports as unknown as Answers;

describe.each(DTYPES)('%s', (type) => {
  it('has blocks of the same size in both languages', () => {
    expect({ elements: answers[`block_elements_${type}`]!(), bytes: answers[`block_size_${type}`]!() }).toEqual({ elements: LAYOUTS[type].elements, bytes: LAYOUTS[type].bytes });
  });

  it('stands in a file of its own', () => {
    expect(existsSync(`assembly/weights/${type}.ts`)).toBe(true);
  });

  it('has all its kernels in its set, and none elsewhere', () => {
    const names = [`packed_bytes_${type}`, `repack_${type}`, `embed_f32_${type}`, `matmul_f32_${type}`, ...(LAYOUTS[type].quantised ? [`matmul_q8_${type}`] : [])];
    for (const set of ALL_SETS) {
      const found = new Set(WebAssembly.Module.exports(moduleAt(`${set}/simd`)).map(({ name }) => name));
      expect(names.filter((name) => found.has(name)), set).toEqual(set === LAYOUTS[type].set ? names : []);
    }
  });

  it('packs no shorter than the file, so that raw rows can be read into their own place', () => {
    const { elements, bytes } = LAYOUTS[type];
    for (const [rows, columns] of [[1, 256], [8, 256], [17, 512]] as const) expect(answers[`packed_bytes_${type}`]!(rows, columns)).toBeGreaterThanOrEqual((rows * columns * bytes) / elements);
  });
});

it('names ggml types once', () => {
  expect(new Set(DTYPES.map((type) => LAYOUTS[type].id)).size).toBe(DTYPES.length);
});

it('has its exports written from the list as it is', async () => {
  const { typeExports } = (await import('../../scripts/kernel-sets.mjs' as string)) as { typeExports(): Map<string, string> };
  for (const [file, text] of typeExports()) expect(readFileSync(file, 'utf8'), file).toBe(text);
});

it('is known by name nowhere in the shared code of the kernels', () => {
  const shared = ['weights/types', 'weights/codes', 'weights/scales', 'weights/integers', 'weights/repack', 'weights/unpack', 'kernels/dot', 'kernels/panel_q8', 'kernels/embed'];
  const classes = DTYPES.filter((type) => type.startsWith('q')).map((type) => type.replace('q', 'Q'));
  for (const file of shared) expect(readFileSync(`assembly/${file}.ts`, 'utf8'), file).not.toMatch(new RegExp(`import \\{[^}]*\\b(${classes.join('|')})\\b`));
});

describe('sets', () => {
  it('are those that the types need, `core` first', () => {
    expect(setsOf([])).toEqual(['core']);
    expect(setsOf(['q4_0', 'q8_0', 'q6_K'])).toEqual(['core', 'q0', 'q6']);
    expect(setsOf(DTYPES)).toEqual(ALL_SETS);
  });

  it('give the same exports together as each by itself', () => {
    const all = load('simd').exports as unknown as Answers;
    const some = instantiateKernels([moduleAt('core/simd'), moduleAt('q0/simd')], 'simd').exports as unknown as Answers;
    expect(Object.keys(some).length).toBeLessThan(Object.keys(all).length);
    expect(Object.keys(some).filter((name) => !(name in all))).toEqual([]);
    expect('matmul_q8_q4_K' in some).toBe(false);
  });
});
