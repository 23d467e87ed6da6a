// bench/browser.mjs and bench/workerd.mjs run as docs/benchmarks.md says.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Report } from '../../src/bench/report.js';

const run = promisify(execFile);
const chromium = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const json = async (...args: string[]): Promise<unknown> => JSON.parse((await run(process.execPath, [...args, '--quick', '--json'])).stdout);

describe('the bench', () => {
  it.skipIf(!existsSync(chromium))(`in Chromium${existsSync(chromium) ? '' : `: no ${chromium}`}`, async () => {
    const report = (await json('bench/browser.mjs', '--kernels', 'softmax', '--threads', '1,2', '--build', 'simd,relaxed')) as Report;
    expect(report.machine.runtime).toMatch(/Chrome.*, cross-origin isolated$/);
    expect(report.lines[0]!.cells.map(({ build, threads }) => `${build} x ${threads}`)).toEqual(['simd x 1', 'simd x 2', 'relaxed x 1', 'relaxed x 2']);
  });

  it('in workerd, by a clock outside', async () => {
    const rows = (await json('bench/workerd.mjs', '--kernels', 'softmax', '--rounds', '1', '--build', 'scalar,simd')) as { build: string; unit: string; rate: number }[];
    expect(rows.map(({ build, unit }) => `${build}, ${unit}`)).toEqual(['scalar, GB/s', 'simd, GB/s']);
    for (const { rate } of rows) expect(rate).toBeGreaterThan(0);
  });
});
