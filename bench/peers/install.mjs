// Brings stonechat into a peers folder: adapters, the built package for Node (a link), bundles for a page.
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

export const HERE = import.meta.dirname;
export const PROJECT = resolve(HERE, '../..');

export async function install(peers) {
  for (const needed of ['child-node.mjs', 'child-page.mjs', 'suite.mjs', 'node_modules', 'models']) {
    if (!existsSync(join(peers, needed))) throw new Error(`${peers} has no ${needed}: see bench/peers/README.md`);
  }
  for (const folder of ['adapters', 'kernels']) {
    for (const name of readdirSync(join(HERE, folder))) copyFileSync(join(HERE, folder, name), join(peers, folder, name));
  }
  const engine = join(peers, 'engine');
  mkdirSync(engine, { recursive: true });
  rmSync(join(engine, 'project'), { force: true });
  symlinkSync(PROJECT, join(engine, 'project'));
  await bundlePage(join(engine, 'stonechat'));
}

/** As an application's bundler would: the browser entries, kernels as chunks that are loaded when a build is chosen. */
async function bundlePage(outdir) {
  rmSync(outdir, { recursive: true, force: true });
  const entries = join(PROJECT, '.cache', 'bench', 'peers');
  mkdirSync(entries, { recursive: true });
  writeFileSync(join(entries, 'page.js'), `export { load } from 'stonechat';\n`);
  writeFileSync(join(entries, 'bench.js'), `export { bench, openKernel, reportText } from 'stonechat/bench';\n`);
  const entryPoints = ['page', 'bench'].map((name) => join(entries, `${name}.js`));
  await build({ entryPoints, outdir, bundle: true, splitting: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', logLevel: 'error' });
}
