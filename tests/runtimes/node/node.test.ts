import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Build } from 'stonechat';
import { CASES, type Outcome } from '../cases.js';
import { bundle, expectSameBits, MODELS, noModels } from '../harness.js';

const run = promisify(execFile);
const versionOf = (command: string) =>
  run(command, ['--version']).then(({ stdout }) => Number.parseInt(stdout.slice(1), 10), () => undefined);

const built = (entry: string) =>
  bundle('node', `tests/runtimes/node/${entry}.ts`, { platform: 'node', packages: 'external' }).then((folder) => join(folder, `${entry}.js`));

async function casesIn(node: string, builds: readonly Build[]): Promise<void> {
  const threads = [1, 2];
  const { stdout } = await run(node, [await built('main'), MODELS, JSON.stringify(builds), JSON.stringify(threads)]);
  const { outcomes } = JSON.parse(stdout) as { outcomes: Outcome[] };
  await expectSameBits(outcomes, builds, threads);
}

describe('Node', () => {
  it(`${process.version}: the same bits from every build and thread count`, async (context) => {
    context.skip(noModels !== undefined, noModels);
    const relaxed = Number.parseInt(process.versions.node, 10) >= 22;
    await casesIn(process.execPath, relaxed ? ['scalar', 'simd', 'relaxed'] : ['scalar', 'simd']);
  });

  it('24: the same bits from every build and thread count', async (context) => {
    context.skip(noModels !== undefined, noModels);
    const node = process.env['STONECHAT_NODE24'] ?? 'node24';
    const version = await versionOf(node);
    context.skip(version !== 24, `no Node 24 as "${node}" (STONECHAT_NODE24 names one)`);
    await casesIn(node, ['scalar', 'simd', 'relaxed']);
  });

  it('ends by itself when a model with threads was not disposed of', async (context) => {
    context.skip(noModels !== undefined, noModels);
    const { stdout } = await run(process.execPath, [await built('idle'), join(MODELS, CASES[0]!.model)], { timeout: 30_000 });
    expect(stdout.trim()).toBe('threads: 2');
  });
});
