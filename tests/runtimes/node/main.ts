// Runs the cases in the Node that executes it: node main.js '["models"]' '["simd"]' '[1,2]' true. Prints the outcomes as JSON.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Build, load } from 'stonechat';
import * as trainer from 'stonechat/train';
import { runCases, SYNTHETIC } from '../cases.js';
import { runTraining } from '../training.js';

const [folders, builds, threads, realModels] = process.argv.slice(2).map((text) => JSON.parse(text)) as [string[], Build[], number[], boolean];
const outcomes = await runCases({
  load,
  source: (model) => folders.map((folder) => join(folder, model)).find(existsSync)!,
  realModels,
  builds,
  threads,
});
const model = await load(folders.map((folder) => join(folder, SYNTHETIC)).find(existsSync)!, { threads: 1 });
console.log(JSON.stringify({ node: process.version, chosen: model.info.build, outcomes, training: await runTraining(trainer, builds, threads) }));
