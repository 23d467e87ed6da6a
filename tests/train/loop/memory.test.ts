// The planner's estimate is what training takes: linear memory, and beside it the copies of weights for the best and for files.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { expect, it } from 'vitest';

const MOST = 1.3;

it(`a process grows by at most ${MOST} times the estimate`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stonechat-'));
  try {
    const outfile = join(process.cwd(), '.cache/memory-child.js');
    await build({ entryPoints: ['tests/train/loop/memory-child.ts'], outfile, bundle: true, format: 'esm', platform: 'node', packages: 'external', logLevel: 'error' });
    const { stdout } = await promisify(execFile)(process.execPath, [outfile, join(folder, 'checkpoint')]);
    const { estimated, grown } = JSON.parse(stdout) as { estimated: number; grown: number };
    console.log(`training: estimated ${(estimated / 2 ** 20).toFixed(0)} MiB, grown by ${(grown / 2 ** 20).toFixed(0)} MiB: ${(grown / estimated).toFixed(2)} times`);
    expect(grown / estimated).toBeLessThan(MOST);
    expect(grown / estimated).toBeGreaterThan(0.7); // else nothing was measured
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
