// stonechat beside other engines: node24 bench/peers/run.mjs [--peers DIR] [--sections a,b] [--rounds 3] [--tries 3] [--report]
// Measures, keeps every start in .cache/bench/peers.json, prints the tables. See README.md.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measureStart } from './child.mjs';
import { GOALS, KERNEL_SECTIONS, SECTIONS, SLOW, WITHOUT_512 } from './goals.mjs';
import { install, PROJECT } from './install.mjs';
import { f32Kernels, ggmlKernels } from './kernels.mjs';
import { report } from './report.mjs';

const { values: options } = parseArgs({
  options: {
    peers: { type: 'string', default: join(PROJECT, '../peers') },
    sections: { type: 'string', default: SECTIONS.join() },
    rounds: { type: 'string', default: '3' },
    tries: { type: 'string', default: '3' },
    out: { type: 'string', default: join(PROJECT, '.cache/bench/peers.json') },
    report: { type: 'boolean', default: false },
  },
});
const peers = resolve(options.peers);
const rounds = Number(options.rounds);
const tries = Number(options.tries);
const sections = options.sections.split(',');
const unknown = sections.find((name) => !SECTIONS.includes(name));
if (unknown) throw new Error(`no section "${unknown}": ${SECTIONS.join(', ')}`);

const kept = existsSync(options.out) ? JSON.parse(readFileSync(options.out, 'utf8')) : { starts: {}, kernels: {} };
kept.machine = { cpu: cpus()[0].model.trim(), processors: cpus().length, runtime: `Node ${process.versions.node}` };
function keep() {
  mkdirSync(join(options.out, '..'), { recursive: true });
  writeFileSync(options.out, JSON.stringify(kept, null, 1));
}

const startKey = ({ peer, model, threads }) => `${peer} ${model} ${threads}`;

/** Each engine once per model and number of threads, in the order of the goals. */
function subjectsOf(section) {
  const sides = GOALS.filter((goal) => goal.section === section).flatMap(({ model, ours, theirs, oursThreads, theirsThreads }) => [
    { peer: ours, model, threads: oursThreads },
    { peer: theirs, model, threads: theirsThreads },
  ]);
  return [...new Map(sides.map((each) => [startKey(each), each])).values()];
}

async function jobOf({ peer, model, threads }, round) {
  const { MODELS } = await import(join(peers, 'models.mjs'));
  const skip512 = WITHOUT_512.has(`${peer} ${model}`) || (SLOW.has(peer) && round > 0);
  return { peer, model: `models/${model}.gguf`, vocab: MODELS[model].vocab, threads, reps: 1, skip512 };
}

const shown = (value, digits = 1) => (Number.isFinite(value) ? value.toFixed(digits) : '-');

async function measureSubject(section, subject, round) {
  const { peer } = subject;
  const { where } = await import(join(peers, 'adapters', `${peer}.mjs`));
  const began = Date.now();
  const result = await measureStart(peers, where, await jobOf(subject, round), tries);
  const key = startKey(subject);
  const starts = (kept.starts[section] ??= {});
  if (round === 0) starts[key] = [];
  starts[key].push(result);
  keep();
  const [sample] = result.samples ?? [{}];
  const figures = `prefill ${shown(sample.pp128)} / ${shown(sample.pp512)}, decode ${shown(sample.tg64)}, first ${shown(result.firstTokenMs, 0)} ms, foreign ${shown(result.foreign, 2)}`;
  console.error(`  ${key}: ${result.error ?? figures} (${shown((Date.now() - began) / 1000, 0)} s)`);
}

/** Rounds go over all engines of a section, so that what is compared was measured side by side. */
async function measureEngines(section) {
  const subjects = subjectsOf(section);
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) if (round < 2 || !SLOW.has(subject.peer)) await measureSubject(section, subject, round);
  }
}

if (!options.report) {
  await install(peers);
  for (const section of sections) {
    console.error(`${section}:`);
    if (!KERNEL_SECTIONS.includes(section)) await measureEngines(section);
    else kept.kernels[section] = section === 'kernels-ggml' ? await ggmlKernels(peers) : await f32Kernels(peers, tries);
    keep();
  }
}
report(kept, sections, peers);
