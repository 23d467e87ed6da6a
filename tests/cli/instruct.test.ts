// What a real instruction model meets on the command line.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from './support.js';

const MODEL = join(process.env['STONECHAT_MODELS'] ?? join(homedir(), '.cache/stonechat/models'), 'SmolLM2-135M-Instruct.Q4_1.gguf');
const real = existsSync(MODEL);

describe.skipIf(!real)(real ? 'SmolLM2' : `SmolLM2 (skipped: no ${MODEL}: see models-real/README.md)`, () => {
  it('that ends a text at once is explained', async () => {
    const { code, out, error } = await run(['What is 5 plus 6?', '-m', MODEL, '--temperature', '0', '--no-echo']);
    expect({ code, out: out.trim() }).toEqual({ code: 0, out: '' });
    expect(error).toMatch(/ended the text at once\. It has a chat template: stonechat chat speaks to it\./);
  });

  it('is judged from the second token on, in every script', async () => {
    const { out } = await run(['trust', '--judge', 'Paris is a café.', '-m', MODEL]);
    expect(out).toMatch(/^Paris \[?is/);
    expect(out).not.toContain('\ufffd');
    const { out: json } = await run(['trust', '--judge', 'Москва — столица России.', '-m', MODEL, '--json']);
    const { prompt, tokens, spans } = JSON.parse(json) as { prompt: string; tokens: { text: string }[]; spans: { text: string }[] };
    expect(prompt + tokens.map(({ text }) => text).join('')).toBe('Москва — столица России.');
    expect(spans.some(({ text }) => /\p{sc=Cyrl}{3}/u.test(text))).toBe(true);
    const { code, error } = await run(['trust', '--judge', 'Hello', '-m', MODEL]);
    expect(code).not.toBe(0);
    expect(error).toContain('at least two tokens');
  });

  it('takes no bias beyond 32 bits, and makes no infinities of large ones', async () => {
    expect((await run(['Hi', '-m', MODEL, '--bias', '50=1e39'])).error).toContain('finite numbers');
    const { out } = await run(['Hi', '-m', MODEL, '--bias', '50=3e38', '-n', '4', '--no-echo', '--seed', '1']);
    expect(new Set(out.trim()).size).toBe(1);
  });
});
