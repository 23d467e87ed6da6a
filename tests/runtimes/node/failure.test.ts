import { resolve } from 'node:path';
import type { Plugin } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import { SYNTHETIC } from '../cases.js';
import { bundle, findModel, prepareModels } from '../harness.js';
import { type Command, run, versionOf } from './command.js';

const NODE24 = process.env['STONECHAT_NODE24'] ?? 'node24';
const COMMANDS: Command[] = [[process.execPath], [NODE24], ['bun'], ['deno', 'run', '-A']];
/** In a run, what is waited for is asked every 100 ms; the rest is for a busy machine. A thread killed whole takes 10 s. */
const NOTICED_MS = 1500;

const shim = resolve('tests/runtimes/node/watched-threads.ts');
const watchThreads: Plugin = {
  name: 'watched threads',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^node:worker_threads$/ }, ({ importer }) => (importer === shim ? { path: 'node:worker_threads', external: true } : { path: shim })),
};

let program: string;

beforeAll(async () => {
  prepareModels();
  const folder = await bundle('failure', 'tests/runtimes/node/failure.ts', { platform: 'node', splitting: true, plugins: [watchThreads] });
  program = resolve(folder, 'failure.js');
});

describe.each(COMMANDS)('a worker that ends is noticed at once: %s', (command, ...flags) => {
  it.for([
    ['generate', 'terminate'], ['generate', 'exit'], ['generate', 'throw'], ['train', 'exit'], ['train', 'throw'],
  ] as const)('%s, %s', async ([what, way], context) => {
    context.skip((await versionOf([command])) === undefined, `no ${command} here`);
    const { stdout } = await run(command, [...flags, program, findModel(SYNTHETIC), what, way]);
    const { code, ms } = JSON.parse(stdout) as { code: string; ms: number };
    expect(code).toBe('worker-failed');
    expect(ms).toBeLessThan(NOTICED_MS);
  });
});
