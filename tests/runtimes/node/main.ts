// Runs the cases in the Node that executes it: node main.js MODELS '["simd"]' '[1,2]'. Prints the outcomes as JSON.
import { join } from 'node:path';
import { load } from 'stonechat';
import { runCases } from '../cases.js';

const [models, builds, threads] = process.argv.slice(2) as [string, string, string];
const outcomes = await runCases({
  load,
  source: (model) => join(models, model),
  builds: JSON.parse(builds),
  threads: JSON.parse(threads),
});
console.log(JSON.stringify({ node: process.version, outcomes }));
