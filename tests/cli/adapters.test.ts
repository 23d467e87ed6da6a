import { describe, expect, it } from 'vitest';
import { readArguments } from '../../src/entry/cli/arguments.js';
import { adaptersOf } from '../../src/entry/cli/loading.js';
import { LOADING } from '../../src/entry/cli/options.js';

const read = (...names: string[]) => adaptersOf(readArguments(names.map((name) => `--lora=${name}`), LOADING));

describe('--lora', () => {
  it.each<[string, string, number?]>([
    ['a.gguf', 'a.gguf'],
    ['a.gguf:0.5', 'a.gguf', 0.5],
    ['a.gguf:1e-1', 'a.gguf', 0.1],
    ['a.gguf:2E+1', 'a.gguf', 20],
    ['a.gguf:-.5e0', 'a.gguf', -0.5],
    ['a.gguf:1.', 'a.gguf', 1],
    ['C:\\a.gguf', 'C:\\a.gguf'],
    ['C:\\a.gguf:0.5', 'C:\\a.gguf', 0.5],
    ['C:/models/a.gguf:1e-1', 'C:/models/a.gguf', 0.1],
    ['a.gguf:e5', 'a.gguf:e5'],
    ['https://host:8080', 'https://host:8080'],
    ['https://host:8080/a.gguf', 'https://host:8080/a.gguf'],
    ['https://host:8080/a.gguf:0.5', 'https://host:8080/a.gguf', 0.5],
  ])('%s', (text, source, scale) => {
    expect(read(text)).toEqual([scale === undefined ? { source } : { source, scale }]);
  });
});
