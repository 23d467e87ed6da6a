import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Build } from 'stonechat';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Outcome, SYNTHETIC } from '../cases.js';
import { bundle, expectSameBits, expectSameTraining, findModel, FOLDERS, prepareModels, REAL_MODELS } from '../harness.js';
import type { Trained } from '../training.js';

const run = promisify(execFile);
const ALL: Build[] = ['scalar', 'simd', 'relaxed'];
const HERE: Build[] = Number.parseInt(process.versions.node, 10) >= 22 ? ALL : ['scalar', 'simd'];
const NODE24 = process.env['STONECHAT_NODE24'] ?? 'node24';

const versionOf = (command: string) => run(command, ['--version']).then(({ stdout }) => stdout.trim(), () => undefined);

const built = (entry: string) =>
  bundle('node', `tests/runtimes/node/${entry}.ts`, { platform: 'node', packages: 'external' }).then((folder) => join(folder, `${entry}.js`));

async function casesIn(command: readonly [string, ...string[]], builds: readonly Build[]): Promise<void> {
  const threads = [1, 2];
  const [program, ...flags] = command;
  const { stdout } = await run(program, [...flags, await built('main'), ...[FOLDERS, builds, threads, REAL_MODELS].map((value) => JSON.stringify(value))]);
  const { chosen, outcomes, training } = JSON.parse(stdout) as { chosen: Build; outcomes: Outcome[]; training: Trained[] };
  expect(chosen).toBe(builds.at(-1)); // the fastest that is right there
  await expectSameBits(outcomes, builds, threads);
  await expectSameTraining(training, builds, threads);
}

beforeAll(prepareModels);

describe('the same bits from every build and thread count', () => {
  it(`in Node ${process.version}`, async () => {
    await casesIn([process.execPath], HERE);
  });

  it('in Node 24', async (context) => {
    context.skip(!(await versionOf(NODE24))?.startsWith('v24.'), `no Node 24 as "${NODE24}" (STONECHAT_NODE24 names one)`);
    await casesIn([NODE24], ALL);
  });

  it.for([['deno', 'run', '-A'], ['bun']] satisfies [string, ...string[]][])('in %s', async (command, context) => {
    context.skip(!(await versionOf(command[0])), `no ${command[0]} on the PATH`);
    await casesIn(command, ALL);
  });
});

describe('a process', () => {
  it('sleeps between generations, and ends by itself when a model with threads was not disposed of', async () => {
    const { stdout } = await run(process.execPath, [await built('idle'), findModel(SYNTHETIC)], { timeout: 30_000 });
    const { threads, idleMs } = JSON.parse(stdout) as { threads: number; idleMs: number };
    expect(threads).toBe(2);
    expect(idleMs).toBeLessThan(50); // of 1000: a worker that spins takes all that the machine gives it
  });
});
