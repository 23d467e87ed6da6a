import { describe, expect, test } from 'vitest';
import { readArguments } from '../../src/entry/cli/arguments.js';
import { COMMANDS, DEFAULT_COMMAND } from '../../src/entry/cli/commands.js';
import { bar, bytes, duration, json, table } from '../../src/entry/cli/format.js';
import { commandHelp, overview } from '../../src/entry/cli/help.js';
import { countParameters } from '../../src/entry/cli/inspect.js';
import { drawing } from '../../src/entry/cli/next.js';
import { progressLine } from '../../src/entry/cli/terminal.js';

const read = (...argv: string[]) => readArguments(argv, DEFAULT_COMMAND.options);

describe('arguments', () => {
  test('values, flags, short names, repetitions, what stands alone', () => {
    const args = read('Once', '-m', 'a.gguf', '--json', '--stop', 'x', '--stop=y', '--top-p=0.5', 'upon', '--penalty-window', '-1', '--', '--not-an-option');
    expect(args.positionals).toEqual(['Once', 'upon', '--not-an-option']);
    expect([args.text('model'), args.has('json'), args.has('no-echo'), args.texts('stop'), args.number('top-p'), args.number('penalty-window')]).toEqual(['a.gguf', true, false, ['x', 'y'], 0.5, -1]);
  });

  test('numbers, ids, whole numbers of any length', () => {
    const args = read('--ids', '1, 2,3', '--seed', '18446744073709551615', '--top-k', '1e2', '--prompt', '-');
    expect([args.ids('ids'), args.integer('seed'), args.number('top-k'), args.text('prompt'), args.number('top-p')]).toEqual([[1, 2, 3], 18446744073709551615n, 100, '-', undefined]);
  });

  test.each([
    [['--temprature', '1'], 'found --temprature. Did you mean --temperature?'],
    [['--max_tokens', '1'], 'Did you mean --max-tokens?'],
    [['-x'], 'found -x. See --help'],
    [['--temperature'], 'Expected a value after --temperature, found nothing. Write --temperature T.'],
    [['--prompt', '--json'], 'Expected a value after --prompt, found --json'],
    [['--prompt', '-m'], 'Expected a value after --prompt, found -m'],
    [['--json=yes'], 'Expected --json without a value'],
    [['--seed', '1', '--seed', '2'], 'Expected --seed once'],
  ])('%j is refused', (argv, message) => {
    expect(() => read(...argv)).toThrow(expect.objectContaining({ code: 'bad-option', message: expect.stringContaining(message) }));
  });

  test('values that are no numbers are refused', () => {
    expect(() => read('--top-p', 'half').number('top-p')).toThrow('Expected --top-p to be a number, found "half".');
    expect(() => read('--top-p', '').number('top-p')).toThrow('a number');
    expect(() => read('--ids', '1,,2').ids('ids')).toThrow('a number');
    for (const seed of ['-1', '1.5', 'x', '']) expect(() => read('--seed', seed).integer('seed')).toThrow('a whole number');
  });
});

test('help names every command, every option and its value', () => {
  const all = overview(COMMANDS, 100);
  for (const command of COMMANDS) {
    expect(all).toContain(`${command.name} `);
    const help = commandHelp(command, 100);
    for (const { name, value } of command.options) expect(help).toContain(`--${name}${value ? ` ${value}` : ''}`);
    expect(new Set(command.options.map(({ name }) => name)).size).toBe(command.options.length);
    const shorts = command.options.flatMap(({ short }) => short ?? []);
    expect(new Set(shorts).size).toBe(shorts.length);
  }
});

test('formats', () => {
  expect([bytes(12), bytes(2048), bytes(1.5e9)]).toEqual(['12 bytes', '2.00 KiB', '1.40 GiB']);
  expect([duration(0.2), duration(99), duration(125)]).toEqual(['1 s', '99 s', '2 min 5 s']);
  expect([bar(0, 4), bar(1, 4), bar(0.5, 4), bar(0.40625, 4), bar(2, 4)]).toEqual(['', '████', '██', '█▋', '████']);
  expect(table([['a', '1'], ['ccc', '22']], [1])).toBe('a     1\nccc  22');
  expect(table([])).toBe('');
  expect(json({ a: 5n, b: 1n << 60n, c: -Infinity, d: Float32Array.of(0.5), e: BigInt64Array.of(3n) })).toBe('{"a":5,"b":"1152921504606846976","c":"-Infinity","d":[0.5],"e":[3]}');
  expect(progressLine('load', 50 * 2 ** 20, 100 * 2 ** 20, 2, 100)).toBe('loading ████████████░░░░░░░░░░░░ 50 % 50.0 MiB of 100.0 MiB, 25.0 MiB/s, 2 s left');
  expect(progressLine('download', 2 ** 20, -1, 1)).toBe('downloading 1.00 MiB, 1.00 MiB/s');
  expect(progressLine('prefill', 640, 1280, 2)).toContain('640 tokens of 1,280 tokens, 320 tokens/s, 2 s left');
});

test('next draws bars to the scale of the likeliest, and what is left', () => {
  const rows = [0.5, 0.25, 0.0009].map((probability, id) => ({ id, text: ` w${id}`, logprob: Math.log(probability), probability }));
  const lines = drawing(rows, Math.LN2).split('\n');
  expect(lines[0]).toBe(`" w0"        50.0 %  ${'█'.repeat(40)}`);
  expect(lines[1]).toBe(`" w1"        25.0 %  ${'█'.repeat(20)}`);
  expect(lines[2]).toBe('" w2"       0.090 %  ▏');
  expect(lines[3]).toBe(`all others   24.9 %  ${'█'.repeat(19)}▉`);
  expect(lines[4]).toBe('entropy 0.69 nats: as open as a choice among 2.0 equally likely tokens');
});

test('parameters are counted by part and by type', () => {
  const tensor = (name: string, shape: number[], type: 'f32' | 'q8_0' = 'f32') => ({ name, type, shape, bytes: 0 });
  expect(countParameters([tensor('token_embd.weight', [4, 10], 'q8_0'), tensor('blk.0.attn_q.weight', [4, 4]), tensor('blk.0.attn_norm.weight', [4]), tensor('blk.11.attn_q.weight', [4, 4]), tensor('output_norm.weight', [4])])).toEqual({
    total: 80,
    parts: { embedding: 40, 'layer 0': 20, 'layer 11': 16, head: 4 },
    types: { q8_0: 40, f32: 40 },
  });
});
