// Single kernels beside those of others.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { measureStart } from './child.mjs';
import { compareWithGgml } from './ggml/compare.mjs';
import { HERE, PROJECT } from './install.mjs';

/** ggml's kernels are compiled from source the first time; that takes clang and a minute. */
export async function ggmlKernels(peers) {
  const wasm = join(PROJECT, '.cache/bench/ggml/ggml.wasm');
  if (!existsSync(wasm)) {
    mkdirSync(join(wasm, '..'), { recursive: true });
    const { status } = spawnSync(join(HERE, 'ggml/build.sh'), [peers, wasm], { stdio: ['ignore', 'inherit', 'inherit'] });
    if (status !== 0) throw new Error('ggml did not compile: see the packages that bench/peers/ggml/build.sh names');
  }
  return { rows: await compareWithGgml(wasm) };
}

const best = ({ rows }) => rows.find(({ kind, m }) => kind === 'fp32' && m === 512).gflops;

/** Each library in a page of its own. */
export async function f32Kernels(peers, tries) {
  const results = {};
  for (const peer of ['stonechat-f32', 'ort-web', 'tfjs-wasm']) {
    const result = await measureStart(peers, 'page', { peer: `../kernels/${peer}`, threads: 1 }, tries);
    if (result.error) throw new Error(`${peer}: ${result.error}`);
    results[peer] = result;
    console.error(`  ${peer}: ${result.rows.map(({ build, kind, m, gflops }) => `${build ?? kind} M=${m} ${gflops.toFixed(1)}`).join(', ')} GFLOP/s, foreign ${result.foreign.toFixed(2)}`);
  }
  return {
    ours: results['stonechat-f32'].rows,
    rivals: [{ name: 'onnxruntime-web', gflops: best(results['ort-web']) }, { name: 'tfjs-wasm', gflops: best(results['tfjs-wasm']) }],
  };
}
