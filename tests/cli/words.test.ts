import { describe, expect, test } from 'vitest';
import { StonechatError } from '../../src/errors.js';
import { unescape } from '../../src/entry/cli/arguments.js';
import { COMMANDS } from '../../src/entry/cli/commands.js';
import { speakFlags } from '../../src/entry/cli/flags.js';
import { harmless } from '../../src/entry/cli/terminal.js';
import { checkWord } from '../../src/entry/cli/words.js';

const names = COMMANDS.map(({ name }) => name);

describe('words', () => {
  test.each([['list'], ['serve'], ['pull'], ['run'], ['ls'], ['tokenise'], ['pull', 'hf.co/org/model:q4'], ['run', 'model.gguf']])('%s %s alone is refused, with a hint', (...words) => {
    expect(() => checkWord(words, names, false)).toThrow(expect.objectContaining({ code: 'bad-option', remedy: expect.stringMatching(/stonechat|there yet/) }));
  });

  test('the file of a model alone is no prompt', () => {
    expect(() => checkWord(['models/story.gguf'], names, false)).toThrow('Write --model models/story.gguf');
    expect(() => checkWord(['what', 'is', 'a.gguf'], names, false)).not.toThrow();
  });

  test('a model does not make a reserved word a prompt, but an unusual one', () => {
    expect(() => checkWord(['serve'], names, true)).toThrow('reserved');
    expect(() => checkWord(['tokenise'], names, true)).not.toThrow();
  });

  test.each([['list '], ['list them'], ['run', 'to', 'me'], ['run', 'away'], ['Hello'], ['List'], []])('%s %s is a prompt', (...words) => {
    expect(() => checkWord(words, names, false)).not.toThrow();
  });
});

describe('errors name flags', () => {
  const options = COMMANDS.find(({ name }) => name === 'generate')!.options;
  const spoken = (expected: string, remedy: string) => speakFlags(new StonechatError({ code: 'bad-option', expected, found: 'topP 2', remedy }), options).message;

  test.each([
    ['topP to be a number from 0 to 1', 'Leave it out.', 'Expected --top-p to be a number from 0 to 1, found topP 2. Leave it out.'],
    ['a prompt of at most 4 tokens', 'Load the model with a larger contextLength, or set overflow to "slide".', 'Expected a prompt of at most 4 tokens, found topP 2. Load the model with a larger --context, or set --overflow slide.'],
    ['room', 'Load with contextLength 98304 or less, or kvCache "q8_0".', 'Expected room, found topP 2. Load with --context 98304 or less, or --kv-cache q8_0.'],
    ['temperature to be a number', 'The temperature is a number.', 'Expected --temperature to be a number, found topP 2. The temperature is a number.'],
    ['examples', 'Cut them (overflow: "slide").', 'Expected examples, found topP 2. Cut them (--overflow slide).'],
    ['a template', 'Pass one by the chatTemplate option (--template).', 'Expected a template, found topP 2. Pass one by the chatTemplate option (--template).'],
    ['a model with a prompt', 'A seed, a stop, a model.', 'Expected a model with a prompt, found topP 2. A seed, a stop, a model.'],
    ['a file maxTokens.gguf', 'See options.headers and maxTokens(3).', 'Expected a file maxTokens.gguf, found topP 2. See options.headers and maxTokens(3).'],
  ])('%s. %s', (expected, remedy, message) => {
    expect(spoken(expected, remedy)).toBe(message);
  });
});

test('escapes of texts that shells cannot write', () => {
  expect(unescape(String.raw`a\nb\tc\\n\x`)).toBe('a\nb\tc\\n\\x');
});

test('what steers a terminal is taken out of answers; lines, tabs and directions of writing stay', () => {
  expect(harmless('a\u001b[31mb\u0007\tc\nשלום\u200f')).toBe('a\ufffd[31mb\ufffd\tc\nשלום\u200f');
});
