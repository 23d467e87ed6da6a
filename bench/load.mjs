// What loading a model costs: node bench/load.mjs MODEL... prints (each model in a fresh process) seconds, GB/s and peak memory
// beside the file's size. Peak is the process's resident memory, its code and Node itself (about 50 MiB) included.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { estimate, load } from '../dist/node.js';

const mib = (bytes) => Math.round(bytes / 2 ** 20);

async function measure(path) {
  const { fileBytes, weights, kvCache, scratch } = await estimate(path);
  const before = process.resourceUsage().maxRSS * 1024;
  const start = performance.now();
  const model = await load(path, { threads: 1 });
  const seconds = (performance.now() - start) / 1000;
  for await (const _ of model.generate([1], { maxTokens: 4, temperature: 0, ignoreEos: true, addSpecial: false }));
  const peak = process.resourceUsage().maxRSS * 1024;
  const { build } = model.info;
  console.log(
    `| ${path.split('/').at(-1)} | ${build} | ${mib(fileBytes)} | ${mib(weights)} | ${mib(kvCache)} | ${mib(scratch)} | ${mib(peak)} | ${mib(peak - before)} | ` +
      `${mib(1.2 * fileBytes + kvCache + scratch)} | ${seconds.toFixed(2)} | ${(fileBytes / seconds / 1e9).toFixed(2)} |`,
  );
}

const paths = process.argv.slice(2);
if (paths.length === 1) await measure(paths[0]);
else {
  console.log('| model | build | file MiB | weights MiB | KV MiB | scratch MiB | peak MiB | added by the model MiB | limit: 1.2 x file + KV + scratch | load s | GB/s |');
  console.log('|---|---|---|---|---|---|---|---|---|---|---|');
  for (const path of paths) spawnSync(process.execPath, [fileURLToPath(import.meta.url), path], { stdio: 'inherit' });
}
