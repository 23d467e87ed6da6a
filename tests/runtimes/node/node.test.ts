import { beforeAll, describe, expect, it } from 'vitest';
import type { Build } from 'stonechat';
import { SYNTHETIC } from '../cases.js';
import { findModel, prepareModels } from '../harness.js';
import { built, casesIn, type Command, run, versionOf } from './command.js';

const ALL: Build[] = ['scalar', 'simd', 'relaxed'];
const HERE: Build[] = Number.parseInt(process.versions.node, 10) >= 22 ? ALL : ['scalar', 'simd'];
const NODE24 = process.env['STONECHAT_NODE24'] ?? 'node24';

/** All builds; the fastest that is right there is the one that is chosen. */
async function allIn(command: Command, builds: readonly Build[]): Promise<void> {
  const { chosen } = await casesIn(command, builds, [1, 2]);
  expect(chosen).toBe(builds.at(-1));
}

beforeAll(prepareModels);

describe('the same bits from every build and thread count', () => {
  it(`in Node ${process.version}`, async () => {
    await allIn([process.execPath], HERE);
  });

  it('in Node 24', async (context) => {
    context.skip(!(await versionOf([NODE24]))?.startsWith('v24.'), `no Node 24 as "${NODE24}" (STONECHAT_NODE24 names one)`);
    await allIn([NODE24], ALL);
  });

  it.for([['deno', 'run', '-A'], ['bun']] satisfies [string, ...string[]][])('in %s', async (command, context) => {
    context.skip(!(await versionOf([command[0]])), `no ${command[0]} on the PATH`);
    await allIn(command, ALL);
  });
});

describe('a process', () => {
  it.for([process.execPath, NODE24])('sleeps between generations, and ends by itself when a model with threads was not disposed of, in %s', async (node, context) => {
    context.skip(!(await versionOf([node])), `no ${node}`);
    const { stdout } = await run(node, [await built('idle'), findModel(SYNTHETIC)], { timeout: 30_000 });
    const { threads, idleMs } = JSON.parse(stdout) as { threads: number; idleMs: number };
    expect(threads).toBe(2);
    expect(idleMs).toBeLessThan(50); // of 1000: a worker that spins takes all that the machine gives it
  });
});
