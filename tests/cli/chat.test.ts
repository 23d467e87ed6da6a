import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasTerminal, isBuilt, lines, run, runAtTerminal } from './support.js';

// The story model answers anything in any template: what is tried here is the program around it.
const MODEL = join(import.meta.dirname, '../../models/default.gguf');
const CHAT = ['chat', '-m', MODEL, '--template', 'chatml', '--temperature', '0'];
const unbuilt = isBuilt && existsSync(MODEL) ? '' : ' (skipped: no dist/cli.js, run npm run build)';

type Json = Record<string, unknown>;

describe.skipIf(unbuilt !== '')(`chat${unbuilt}`, () => {
  test.concurrent('a model without a template is refused before anything is asked', async () => {
    expect(await run(['chat', '-m', MODEL, '--json'], 'Hello\n')).toMatchObject({ code: 1, out: expect.stringContaining('chat template') });
  });

  test.concurrent('one message from the line, or of several lines from standard input', async () => {
    const [line, input] = await Promise.all([run([...CHAT, 'Hello there', '--json', '-n', '4']), run([...CHAT, '-', '--json', '-n', '4'], 'Hello\nthere\n')]);
    expect([line.code, input.code]).toEqual([0, 0]);
    expect([lines(line.out).length, lines(input.out).length]).toEqual([1, 1]);
    expect(lines(line.out)[0]).toMatchObject({ tokens: 4 });
  });

  test.concurrent('commands go to the program, unknown ones too; a blank before the slash sends it', async () => {
    const { code, out, error } = await run([...CHAT, '--json', '-n', '3'], '/frobnicate\n/help\n /etc is a folder\n/etc is a folder\n/clear\nHello\n/bye\nnever\n');
    const answers = lines(out) as Json[];
    expect(code).toBe(0);
    expect(answers).toHaveLength(3);
    expect(error).toContain('no command /frobnicate');
    expect(error).toContain('/clear');
    // Forgotten: the third prompt is shorter than the second.
    expect(answers[2]!['promptTokens']).toBeLessThan(answers[1]!['promptTokens'] as number);
  });

  test.concurrent('a full context does not end or hang the chat', async () => {
    const { code, out } = await run([...CHAT, '--json', '-n', '40', '-c', '100', '--ignore-eos'], 'Tell me a story\nHi\nAgain\n');
    expect(code).toBe(0);
    expect((lines(out) as Json[]).map(({ forgottenMessages }) => forgottenMessages)).toEqual([0, expect.any(Number), expect.any(Number)]);
    expect((lines(out) as Json[])[2]!['forgottenMessages']).toBeGreaterThan(0);
  });

  test.concurrent('what is forgotten, and an answer that was cut, are said', async () => {
    const [forgetful, cut] = await Promise.all([
      run([...CHAT, '-n', '40', '-c', '100', '--ignore-eos'], 'Tell me a story\nHi\nAgain\n'), run([...CHAT, '-c', '100', '--ignore-eos'], 'Hi\n'),
    ]);
    expect(forgetful).toMatchObject({ code: 0, error: expect.stringMatching(/^The context is full: the oldest \d+ messages went unread\.$/m) });
    expect(cut).toMatchObject({ code: 0, error: expect.stringMatching(/^The answer was cut: the context is full\./m) });
  });

  test.concurrent('an error ends a piped chat, although the pipe stays open', async () => {
    const { code, error } = await run([...CHAT, '-c', '40', '--overflow', 'error', '-n', '39'], 'Tell me a very long story of many words and more\nHi\n');
    expect({ code, error }).toMatchObject({ code: 1, error: expect.stringMatching(/^stonechat: Expected .*--/) });
  });

  test.skipIf(!hasTerminal)(`at a terminal${hasTerminal ? '' : ' (skipped: no /usr/bin/script)'}: errors are said and the talk goes on; Ctrl-C twice ends it`, async () => {
    const shown = await runAtTerminal([...CHAT, '-c', '40', '--overflow', 'error', '-n', '8', '--ignore-eos'], 80, [
      [/> $/, 'Tell me a very long story of very many words and of more and more and more things and so on\r'],
      [/Expected[^]*> $/, 'Hi\r'],
      [/--max-tokens[^]*> $/, '\u0003'],
      [/Ctrl-C again[^]*> $/, '\u0003'],
    ]);
    expect(shown.code, shown.out).toBe(0);
    expect(shown.out).toMatch(/of at most.*--context/);
  });
});
