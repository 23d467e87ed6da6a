// Kernels in workerd, whose clock stands still while it computes: requests that run a kernel many times are timed from
// outside, and a request that runs it once is subtracted.
//   node bench/workerd.mjs [--kernels gemm,q4_0] [--build simd,relaxed] [--rounds 7] [--quick] [--json]      Needs `npm run build`.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values: options } = parseArgs({
  options: {
    kernels: { type: 'string', default: 'gemm,gemv,attention,softmax,rmsnorm' },
    build: { type: 'string', default: 'scalar,simd,relaxed' },
    rounds: { type: 'string', default: '7' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

const FOLDER = resolve(import.meta.dirname, '../.cache/bench/workerd');
/** Of one timed request: some times longer than a request takes by itself. */
const LEAST_MS = 40;
const WARM_MS = 300;

/** Holds one kernel in each build; another one takes its place, as memory is short. Names come from a kernel that is not there. */
const WORKER = `
import { openKernel } from 'stonechat/bench';
let held = { name: '', builds: new Map() };
async function kernelOf(name, build, quick) {
  if (held.name !== name) held = { name, builds: new Map() };
  if (!held.builds.has(build)) held.builds.set(build, await openKernel(name, build, quick));
  return held.builds.get(build);
}
export default {
  async fetch(request) {
    try {
      const { name, build, quick, times, limit } = await request.json();
      const kernel = await kernelOf(name, build, quick);
      if (limit) kernel.runLimit(times);
      else kernel.run(times);
      return Response.json({ unit: kernel.unit, work: kernel.work, limit: kernel.limit, digest: times === 0 ? kernel.digest() : undefined });
    } catch (error) {
      return Response.json({ error: error.message, expected: error.expected });
    }
  },
};
`;

/** The binary of the platform package; node_modules/workerd/bin may be empty. */
function findWorkerd() {
  const require = createRequire(createRequire(import.meta.url).resolve('workerd/package.json'));
  const platform = `${process.platform}-${process.arch === 'x64' ? '64' : process.arch}`.replace('win32', 'windows');
  return require.resolve(`@cloudflare/workerd-${platform}/bin/workerd`);
}

async function bundleWorker() {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const entry = resolve(FOLDER, '../workerd-entry.js');
  writeFileSync(entry, WORKER);
  await build({
    entryPoints: { worker: entry }, outdir: FOLDER, bundle: true, format: 'esm', platform: 'neutral', conditions: ['workerd', 'worker', 'browser'], target: 'es2022',
    loader: { '.wasm': 'copy' }, logLevel: 'error',
  });
  const wasm = readdirSync(FOLDER).filter((name) => name.endsWith('.wasm')).map((name) => `(name = "${name}", wasm = embed "${name}")`);
  const config = join(FOLDER, 'config.capnp');
  writeFileSync(config, `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(name = "main", worker = .main)], sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]);
const main :Workerd.Worker = (modules = [(name = "worker.js", esModule = embed "worker.js"), ${wasm.join(', ')}], compatibilityDate = "2026-10-01");
`);
  return config;
}

/** Starts it and waits until it says, on descriptor 3, which port it listens on. */
function start(config) {
  const child = spawn(findWorkerd(), ['serve', config, '--control-fd=3'], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('exit', (code) => fail(new Error(`workerd ended with code ${code}`)));
    let said = '';
    child.stdio[3].on('data', (chunk) => {
      said += chunk;
      const port = said.match(/"event":"listen".*"port":(\d+)/)?.[1];
      if (port) done({ child, ask: (job) => fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: JSON.stringify({ quick: options.quick, ...job }) }).then((answer) => answer.json()) });
    });
  });
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function millisecondsOf(ask, job) {
  const begin = performance.now();
  const { error } = await ask(job);
  if (error) throw new Error(`${job.name}: ${error}`);
  return performance.now() - begin;
}

/** A job that runs often enough to be timed, warmed up. */
async function calibrate(ask, job) {
  let times = 1;
  for (let spent = 0; ; ) {
    const took = await millisecondsOf(ask, { ...job, times });
    if ((spent += took) >= WARM_MS && took >= LEAST_MS) return { ...job, times };
    if (took < LEAST_MS) times *= 2;
  }
}

/** Calls a second, one figure a round; all jobs in turn. */
async function ratesOf(ask, jobs) {
  const rates = jobs.map(() => []);
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const [i, job] of jobs.entries()) {
      const once = await millisecondsOf(ask, { ...job, times: 1 });
      const many = await millisecondsOf(ask, { ...job, times: job.times + 1 });
      rates[i].push((1000 * job.times) / Math.max(many - once, 0.01));
    }
  }
  return rates;
}

async function measureKernel(ask, name, builds) {
  const facts = [];
  for (const each of builds) facts.push(await ask({ name, build: each, times: 0 }));
  if (new Set(facts.map(({ digest }) => digest)).size > 1) throw new Error(`${name}: builds disagree: ${facts.map(({ digest }) => digest).join(', ')}`);
  const jobs = [];
  for (const [i, each] of builds.entries()) {
    jobs.push(await calibrate(ask, { name, build: each }));
    if (facts[i].limit) jobs.push(await calibrate(ask, { name, build: each, limit: true }));
  }
  const rates = await ratesOf(ask, jobs);
  const find = (each, limit) => rates[jobs.findIndex((job) => job.build === each && Boolean(job.limit) === limit)];
  return builds.map((each, i) => {
    const { unit, work, limit } = facts[i];
    const [calls, limits] = [find(each, false), find(each, true)];
    const before = i > 0 ? find(builds[i - 1], false) : undefined;
    return {
      name, unit, build: each, rate: median(calls) * work,
      ...(limits && { share: median(calls.map((rate, round) => (rate * limit.own) / (limits[round] * limit.work))) }),
      ...(before && { overBefore: median(calls.map((rate, round) => rate / before[round])) }),
    };
  });
}

const { child, ask } = await start(await bundleWorker());
try {
  const { expected } = await ask({ name: '', build: 'simd', times: 0 });
  const known = expected.replace('one of ', '').split('; ');
  const wanted = options.kernels.split(',');
  const names = known.filter((name) => wanted.some((term) => name.includes(term)));
  if (names.length === 0) throw new Error(`no kernel by these names among ${known.join('; ')}`);
  const builds = options.build.split(',');
  const rows = [];
  for (const name of names) {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${name}`);
    rows.push(...(await measureKernel(ask, name, builds)));
  }
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  if (options.json) console.log(JSON.stringify(rows, null, 2));
  else {
    console.log(`workerd, one thread, by a clock outside: medians of ${options.rounds} rounds. All builds gave the same bits.\n`);
    console.log('| kernel | build | rate | unit | of limit | over the build before |\n|---|---|---:|---|---:|---:|');
    const shown = (value, text) => (value === undefined ? '-' : text(value));
    for (const { name, build: each, rate, unit, share, overBefore } of rows) {
      console.log(`| ${name} | ${each} | ${rate.toPrecision(3)} | ${unit} | ${shown(share, (x) => `${(100 * x).toFixed(0)} %`)} | ${shown(overBefore, (x) => `${x.toFixed(2)}x`)} |`);
    }
  }
} finally {
  child.removeAllListeners('exit');
  child.kill();
}
