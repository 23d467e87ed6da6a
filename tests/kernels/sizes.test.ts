// Sizes that kernels compute from a caller's lengths, in 32 bits: each is checked before it is asked for.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bytesBound, kernelBytes, sizeFunction } from '../../src/kernels/sizes.js';

type Exports = Record<string, (...sizes: number[]) => number>;
const SETS = readdirSync('dist/wasm').map((set) => `wasm/${set}`);
const open = (set: string): Exports => {
  const module = new WebAssembly.Module(readFileSync(`dist/${set}/simd.wasm`));
  const imports: Record<string, Record<string, unknown>> = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = kind === 'memory' ? new WebAssembly.Memory({ initial: 16, maximum: 65536 }) : kind === 'function' ? () => 0 : undefined;
  }
  return new WebAssembly.Instance(module, imports as WebAssembly.Imports).exports as unknown as Exports;
};

describe.each(SETS)('%s', (set) => {
  const exports = open(set);
  const named = Object.keys(exports).filter((name) => /(^|_)bytes(_|$)/.test(name) && typeof exports[name] === 'function');

  test('every export that answers with bytes has a bound', () => {
    expect(named.filter((name) => sizeFunction(name) === undefined)).toEqual([]);
  });

  test.each(named.length ? named : ['none'])('%s stays below its bound, and is not asked at the edge', (name) => {
    if (name === 'none') return;
    const size = exports[name]!;
    const sizes = [1, 2, 7, 31, 32, 33, 64, 255, 256, 300, 1024, 4096];
    const all: number[][] = [[]];
    for (let i = 0; i < size.length; i++) all.splice(0, all.length, ...all.flatMap((list) => sizes.map((next) => list.concat(next))));
    for (const list of all) {
      const bound = bytesBound(name, list);
      if (bound < 2 ** 32) expect(size(...list) >>> 0, `${name}(${list})`).toBeLessThanOrEqual(bound);
    }
    // The largest first size below the edge answers more than half of it does; one beyond is refused.
    const rest = new Array<number>(size.length - 1).fill(64);
    let [low, high] = [1, 2 ** 31 - 1];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (bytesBound(name, [middle, ...rest]) < 2 ** 32) low = middle;
      else high = middle;
    }
    expect(kernelBytes(exports, name, low, ...rest)).toBeGreaterThanOrEqual(kernelBytes(exports, name, Math.floor(low / 2), ...rest));
    expect(() => kernelBytes(exports, name, high, ...rest)).toThrow(expect.objectContaining({ code: 'out-of-memory' }));
  });
});
