// npm run test:bundlers: installs the bundlers of fixtures/package.json into a cache folder and runs all tests of this folder.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
const manifest = join(here, 'fixtures/package.json');
const digest = createHash('sha256').update(readFileSync(manifest)).digest('hex').slice(0, 12);
const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'stonechat', `bundlers-${digest}`);
const complete = join(folder, 'complete');

if (!existsSync(complete)) {
  console.log(`installing bundlers into ${folder}`);
  mkdirSync(folder, { recursive: true });
  copyFileSync(manifest, join(folder, 'package.json'));
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(complete, '');
}

const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const { status } = spawnSync(process.execPath, [vitest, 'run', 'tests/bundlers', '--no-file-parallelism', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, STONECHAT_BUNDLERS: folder },
});
process.exit(status ?? 1);
