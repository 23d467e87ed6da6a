// Runs the cases in the Node that executes it: node main.js '["models"]' '["simd"]' '[1,2]' true. Prints the outcomes as JSON.
// Without builds (null): in the one that is chosen there.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Build, load } from 'stonechat';
import * as trainer from 'stonechat/train';
import { runCases, SYNTHETIC } from '../cases.js';
import { runTraining } from '../training.js';

const [folders, builds, threads, realModels] = process.argv.slice(2).map((text) => JSON.parse(text)) as [string[], Build[] | null, number[], boolean];
const model = await load(folders.map((folder) => join(folder, SYNTHETIC)).find(existsSync)!, { threads: 1 });
const chosen = [model.info.build];
const outcomes = await runCases({
  load,
  source: (model) => folders.map((folder) => join(folder, model)).find(existsSync)!,
  realModels,
  builds: builds ?? chosen,
  threads,
});
console.log(JSON.stringify({ node: process.version, chosen: chosen[0], outcomes, training: await runTraining(trainer, builds ?? chosen, threads) }));
