import { describe, expect, test } from 'vitest';
import { dataPath, hasData, readJson, titled } from '../golden/data.js';
import { isBuilt, lines, run } from './support.js';

const MODEL = dataPath('models/derived/stories260K/stories260K-F32.gguf');
const BIN = dataPath('models/llama2c/stories260K/stories260K.bin');
const BIN_TOKENIZER = dataPath('models/llama2c/stories260K/tok512.bin');
const VOCABULARY = dataPath('tokenizers/llama.cpp/ggml-vocab-gpt-2.gguf');
const unbuilt = isBuilt ? '' : ' (skipped: no dist/cli.js, run npm run build)';

type Json = Record<string, unknown>;

describe.skipIf(!isBuilt)(`without --model${unbuilt}`, () => {
  test.concurrent('the model of the package tells the same story for the same seed', async () => {
    const args = ['Once upon a time', '--seed', '1', '--max-tokens', '40'];
    const [first, second, data] = await Promise.all([run(args), run(args), run([...args, '--json'])]);
    expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/^Once upon a time\W/) });
    expect(second.out).toBe(first.out);
    expect(lines(data.out).at(-1)).toMatchObject({ tokens: 40, seed: 1 });
  });

  test.concurrent('it is sampled as suits it, unless told otherwise; greedy is greedy', async () => {
    const told = async (...more: string[]) => (await run(['Once upon a time', '--seed', '3', '--max-tokens', '120', ...more])).out;
    const named = ['-m', 'models/default.gguf'], [own, same, plain, off, greedy, namedGreedy] = await Promise.all([
      told(), told(...named, '--min-p', '0.1', '--frequency-penalty', '0.15'), told(...named), told('--min-p', '0', '--frequency-penalty', '0'),
      told('--temperature', '0'), told(...named, '--temperature', '0'),
    ]);
    expect(own).toBe(same);
    expect(off).toBe(plain);
    expect(own).not.toBe(plain);
    expect(greedy).toBe(namedGreedy);
  });

  test.concurrent.each([[['next', 'Once upon a']], [['tokenize', 'a']], [['inspect']], [['logits', '--ids', '1']], [['trust', 'Once', '--max-tokens', '5']]])('%j takes it too', async (args) => {
    expect(await run(args)).toMatchObject({ code: 0, error: '', out: expect.stringContaining('\n') });
  });

  test.concurrent('a prompt is still wanted, and a chat template', async () => {
    const [nothing, chat] = await Promise.all([run(['generate']), run(['chat'], 'Hello')]);
    expect(nothing).toMatchObject({ code: 2, out: '', error: expect.stringContaining('a prompt') });
    expect(chat).toMatchObject({ out: '', error: expect.stringContaining('chat template') });
    expect(chat.code).not.toBe(0);
  });

  test.concurrent('nothing at all shows the overview', async () => {
    const nothing = await run([]);
    expect(nothing).toMatchObject({ code: 0, error: '', out: (await run(['--help'])).out });
  });

  test.concurrent('an error after streamed text stands on a line of its own', async () => {
    expect(await run(['Hello', '--max-tokens', '9999'])).toMatchObject({ code: 1, out: 'Hello\n' });
  });

  test.concurrent('--stop takes a line break', async () => {
    const args = ['Once upon a time', '--seed', '1', '--max-tokens', '200', '--no-echo'];
    const [all, first] = await Promise.all([run(args), run([...args, '--stop', '\\n'])]);
    expect(all.out.trimEnd()).toContain('\n');
    expect(first.out).toBe(`${all.out.split('\n')[0]}\n`);
  });

  test.concurrent('help and version', async () => {
    const [all, one, other, version] = await Promise.all([run(['--help']), run(['next', '--help']), run(['help', 'chat']), run(['--version'])]);
    expect(all).toMatchObject({ code: 0, error: '', out: expect.stringContaining('Commands:') });
    expect(one).toMatchObject({ code: 0, error: '', out: expect.stringContaining('Usage: stonechat next "TEXT" [options]') });
    expect(other).toMatchObject({ code: 0, out: expect.stringContaining('--system TEXT') });
    expect(version).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });

  test.concurrent('slips', async () => {
    const [command, option, file] = await Promise.all([run(['tokenise']), run(['--modle', 'x', 'hi']), run(['hi', '--model', '/no/such.gguf', '--json'])]);
    expect(command).toMatchObject({ code: 2, out: '', error: expect.stringContaining('Did you mean stonechat tokenize?') });
    expect(option).toMatchObject({ code: 2, error: expect.stringContaining('Did you mean --model?') });
    expect(file.code).toBe(1);
    expect(file.error).not.toContain('    at ');
    expect(JSON.parse(file.out)).toMatchObject({ error: { code: 'not-found', message: expect.stringContaining('/no/such.gguf') } });
  });
});

describe.skipIf(!hasData || !isBuilt)(`${titled('with a model')}${unbuilt}`, () => {
  test.concurrent('generate --json: tokens, then the summary', async () => {
    const golden = readJson<{ greedy: { prompt: string; prompt_ids: number[]; ids: number[] }[] }>('golden/stories260K.json').greedy.find(({ prompt }) => prompt !== '')!;
    const args = ['generate', '--model', BIN, '--tokenizer', BIN_TOKENIZER, '--prompt', golden.prompt, '--temperature', '0', '--max-tokens', '20', '--json', '--threads', '2', '--build', 'simd', '--top', '3', '--ignore-eos'];
    const { code, out, error } = await run(args);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    const objects = lines(out) as Json[];
    const tokens = objects.slice(0, -1);
    expect(tokens.map(({ id }) => id)).toEqual(golden.ids.slice(golden.prompt_ids.length, golden.prompt_ids.length + 20));
    for (const token of tokens) expect(token).toMatchObject({ text: expect.any(String), logprob: expect.any(Number), entropy: expect.any(Number), top: [{ id: token['id'], logprob: token['logprob'] }, {}, {}] });
    expect(objects.at(-1)).toEqual({
      finish: 'length', promptTokens: golden.prompt_ids.length, reusedTokens: 0, forgottenTokens: 0, forgottenMessages: 0, tokens: 20, text: tokens.map(({ text }) => text).join(''), seed: expect.any(Number),
      prefillSeconds: expect.any(Number), decodeSeconds: expect.any(Number), prefillTokensPerSecond: expect.any(Number), decodeTokensPerSecond: expect.any(Number),
      build: 'simd', threads: 2, logitsHash: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
  });

  test.concurrent('the default command, text by text; the same seed, the same text', async () => {
    const args = ['Once upon a time', '--model', MODEL, '--seed', '42', '--temperature', '0.8', '--top-p', '0.95', '--max-tokens', '40'];
    const [plain, again, bare, scalar] = await Promise.all([run(args), run(args), run([...args, '--no-echo']), run([...args, '--build', 'scalar'])]);
    expect(plain).toMatchObject({ code: 0, error: '', out: expect.stringMatching(/^Once upon a time.+\n$/s) });
    expect([again.out, scalar.out]).toEqual([plain.out, plain.out]);
    expect(`Once upon a time${bare.out}`).toBe(plain.out);
  });

  test.concurrent('prompts from standard input, and ids', async () => {
    const options = ['--model', MODEL, '--temperature', '0', '--max-tokens', '5', '--no-echo'];
    const [piped, given, ids] = await Promise.all([run(['-', ...options], 'Once upon a time\n'), run(['Once', 'upon', 'a', 'time', ...options]), run(['--ids', '1,403,407,261,378', ...options])]);
    expect(piped).toEqual(given);
    expect(ids).toEqual(given);
  });

  test.concurrent('options that do not fit', async () => {
    const [range, context, both, none, build] = await Promise.all([
      run(['a', '--model', MODEL, '--top-p', '2', '--json']), run(['a', '--model', MODEL, '--max-tokens', '9999']), run(['a', '--prompt', 'b', '--model', MODEL]),
      run(['generate', '--model', MODEL]), run(['a', '--model', MODEL, '--build', 'fast']),
    ]);
    expect(range).toMatchObject({ code: 2, error: 'stonechat: Expected --top-p to be a number from 0 to 1, found 2. Leave it out for 1.\n' });
    expect(JSON.parse(range.out)).toMatchObject({ error: { code: 'bad-option', found: '2' } });
    expect(context).toMatchObject({ code: 1, error: expect.stringContaining('Expected --max-tokens of at most') });
    expect(both).toMatchObject({ code: 2, error: expect.stringContaining('Expected one prompt') });
    expect(none).toMatchObject({ code: 2, error: expect.stringContaining('Expected a prompt, found none.') });
    expect(build).toMatchObject({ code: 2, error: expect.stringContaining('Expected --build to be "scalar"') });
  });

  test.concurrent('a reader that leaves, an interrupt', async () => {
    const endless = ['Once', '--model', MODEL, '--ignore-eos', '--overflow', 'slide'];
    const left = await run([...endless, '--json'], '', (child) => child.stdout!.once('data', () => child.stdout!.destroy()));
    expect(left).toMatchObject({ code: 0, error: '' });
    const interrupted = await run(endless, '', (child) => child.stdout!.once('data', () => child.kill('SIGINT')));
    expect(interrupted).toMatchObject({ code: 130, error: '', out: expect.stringMatching(/^Once.*\n$/s) });
  });

  test.concurrent('chat answers line by line and remembers', async () => {
    const args = ['chat', '--model', MODEL, '--template', 'chatml', '--temperature', '0', '--max-tokens', '8', '--ignore-eos'];
    const [text, objects, refused] = await Promise.all([run(args, 'Hello\n\nAgain\n/exit\nnever\n'), run([...args, '--json', '--system', 'Be kind.'], 'Hello\nAgain'), run(['chat', '--model', MODEL], 'Hello')]);
    expect(text).toMatchObject({ code: 0, error: '' });
    expect(text.out.trimEnd().split('\n').length).toBeGreaterThanOrEqual(2);
    const [first, second, ...more] = lines(objects.out) as Json[];
    expect(more).toEqual([]);
    expect(first).toMatchObject({ content: expect.any(String), finish: 'length', tokens: 8, reusedTokens: 0 });
    expect(second!['reusedTokens']).toBeGreaterThan(first!['promptTokens'] as number);
    expect(refused).toMatchObject({ code: 1, error: expect.stringContaining('--template') });
  });

  test.concurrent('next', async () => {
    const [drawn, data] = await Promise.all([run(['next', 'Once upon a', '--model', MODEL, '--top', '4']), run(['next', 'Once upon a', '--model', MODEL, '--json'])]);
    expect(drawn.out.split('\n')[0]).toMatch(/^" time" +99\.\d % {2}█{40}$/);
    expect(drawn.out.trimEnd().split('\n')).toHaveLength(6);
    const { next, entropy, promptTokens } = JSON.parse(data.out) as { next: { probability: number; text: string }[]; entropy: number; promptTokens: number };
    expect(next).toHaveLength(10);
    expect(next[0]).toMatchObject({ text: ' time', probability: expect.closeTo(1, 1) });
    expect([promptTokens, entropy < 0.1]).toEqual([4, true]);
  });

  test.concurrent('tokenize: a table, JSON, lines; vocabulary-only files', async () => {
    const [shown, data, jsonl, special, plain, bad] = await Promise.all([
      run(['tokenize', 'Hello world', '--model', VOCABULARY]), run(['tokenize', 'Hello world', '--tokenizer', VOCABULARY, '--json']),
      run(['tokenize', '--model', VOCABULARY, '--jsonl', '--parse-special'], '"Hello world"\n"a\\nb"\n""\n"<|endoftext|>"'),
      run(['tokenize', '--model', MODEL, '--jsonl', '--add-special'], '"Once"\n'), run(['tokenize', '--model', VOCABULARY, '--jsonl', '--no-parse-special'], '"<|endoftext|>"\n'),
      run(['tokenize', '--model', VOCABULARY, '--jsonl'], '"fine"\nnot fine\n'),
    ]);
    expect(shown.out).toBe('15496  "Hello"\n  995  " world"\n2 tokens\n');
    expect(JSON.parse(data.out)).toEqual({ ids: [15496, 995], tokens: ['Hello', ' world'] });
    expect(jsonl.out).toBe('[15496,995]\n[64,198,65]\n[]\n[50256]\n');
    expect(JSON.parse(special.out)).toEqual([1, 403]);
    expect((JSON.parse(plain.out) as number[]).length).toBeGreaterThan(3);
    expect(bad).toMatchObject({ code: 2, error: expect.stringContaining('a JSON string on line 2') });
  });

  test.concurrent('tokenize and the others read a text by one rule', async () => {
    const counted = async (flags: string[]) => {
      const [ids, generated, next] = await Promise.all(
        [['tokenize'], ['generate', '--max-tokens', '1'], ['next']].map((command) => run([...command, 'Once</s>', '--model', MODEL, '--json', ...flags])),
      );
      const last = JSON.parse(generated!.out.trim().split('\n').at(-1)!) as { promptTokens: number };
      return [(JSON.parse(ids!.out) as { ids: number[] }).ids.length, last.promptTokens, (JSON.parse(next!.out) as { promptTokens: number }).promptTokens];
    };
    const [plain, parsed, bare] = await Promise.all([counted([]), counted(['--parse-special']), counted(['--parse-special', '--no-add-special'])]);
    expect(new Set(plain)).toEqual(new Set([plain[0]]));
    expect([parsed, bare]).toEqual([[3, 3, 3], [2, 2, 2]]); // BOS, Once, EOS
    const [raw, both] = await Promise.all([run(['tokenize', 'Hello world', '--model', VOCABULARY, '--raw', '--json']), run(['tokenize', 'x', '--model', VOCABULARY, '--parse-special', '--no-parse-special'])]);
    expect(JSON.parse(raw.out)).toEqual({ ids: [15496, 995], tokens: ['Hello', 'Ġworld'] });
    expect(both).toMatchObject({ code: 2, error: expect.stringContaining('--no-parse-special') });
  });

  test.concurrent('inspect', async () => {
    const [text, data, vocabulary, full] = await Promise.all([run(['inspect', MODEL]), run(['inspect', MODEL, '--json']), run(['inspect', VOCABULARY, '--json']), run(['inspect', '--model', MODEL, '--json', '--full'])]);
    for (const part of ['260,032 parameters', 'Metadata\n', 'llama.embedding_length', 'blk.4.ffn_up.weight', 'blocks 0 to 4, each', 'Memory\n', '512 in all']) expect(text.out).toContain(part);
    const model = JSON.parse(data.out) as Json;
    expect(model).toMatchObject({ format: 'gguf', architecture: 'llama', parameters: { total: 260032, tiedOutput: true }, tokenizer: { kind: 'spm', size: 512, bos: 1, eos: 2 }, memory: { fits: true } });
    expect((model['tensors'] as unknown[]).length).toBe(47);
    expect((model['metadata'] as Json)['tokenizer.ggml.tokens']).toMatchObject({ length: 512 });
    expect(((JSON.parse(full.out) as Json)['metadata'] as Json)['tokenizer.ggml.tokens']).toHaveLength(512);
    expect(JSON.parse(vocabulary.out)).toMatchObject({ tensors: [], tokenizer: { size: 50257 }, memory: { unavailable: expect.any(String) } });
  });

  test.concurrent('logits', async () => {
    const [data, shown] = await Promise.all([run(['logits', '--model', MODEL, '--ids', '1,403,407', '--json']), run(['logits', '--model', MODEL, '--ids', '1,403,407'])]);
    const { ids, logits } = JSON.parse(data.out) as { ids: number[]; logits: number[] };
    expect([ids, logits.length, logits.every((value) => Math.fround(value) === value)]).toEqual([[1, 403, 407], 512, true]);
    expect(shown.out.split('\n')[0]).toContain(Math.max(...logits).toFixed(4));
  });
});
