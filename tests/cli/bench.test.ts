import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isBuilt, run } from './support.js';

describe.skipIf(!isBuilt)(`stonechat bench${isBuilt ? '' : ' (skipped: no dist/cli.js, run npm run build)'}`, () => {
  let folder: string;
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'stonechat-bench-'))));
  afterAll(() => rm(folder, { recursive: true }));
  const QUICK = ['bench', '--quick', '--threads', '1', '--kernels', 'rmsnorm,rope'];

  test('prints machine, proof and table; saves ratios and compares with them', async () => {
    const file = join(folder, 'baseline.json');
    const first = await run([...QUICK, '--save', file]);
    expect(first).toMatchObject({ code: 0, error: '' });
    expect(first.out).toMatch(/^.*Node \d+.*; threads 1; model none; quick.*\nThe same bits from \d+ kernels on scalar x 1, simd x 1/);
    expect(first.out).toMatch(/^rmsnorm, 16 x 512 +GB\/s +1 /m);
    const saved = JSON.parse(await readFile(file, 'utf8')) as { schema: number; ratios: Record<string, number[]> };
    expect(saved.schema).toBe(1);
    expect(Object.keys(saved.ratios)).toContain('rope, 16 x 2048: simd x 1 over scalar x 1');
    const again = await run([...QUICK, '--compare', file]);
    expect(again.code).toBe(0);
    expect(again.out).toContain(`${Object.keys(saved.ratios).length} ratios compared`);
  });

  test('--json', async () => {
    const { code, out, error } = await run([...QUICK, '--json']);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    expect(JSON.parse(out)).toMatchObject({ schema: 1, quick: true, lines: [{ name: 'rmsnorm, 16 x 512', unit: 'GB/s' }, { name: 'rope, 16 x 2048' }] });
  });

  test('refusals', async () => {
    const file = join(folder, 'other.json');
    await writeFile(file, '{"schema": 2}');
    const [kernel, threads, missing, other] = await Promise.all([
      run(['bench', '--kernels', 'gamm']), run(['bench', '--threads', 'two']), run(['bench', '--compare', join(folder, 'none.json')]), run(['bench', '--compare', file]),
    ]);
    expect(kernel).toMatchObject({ code: 2, out: '', error: expect.stringContaining('"gamm"') });
    expect(threads).toMatchObject({ code: 2, out: '' });
    for (const outcome of [missing, other]) expect(outcome).toMatchObject({ code: 1, out: '', error: expect.stringContaining('--save') });
  });
});
