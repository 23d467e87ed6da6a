// What loading a model costs: node24 bench/load.mjs MODEL... [--starts 5] [--threads 1]
// Each start is a fresh process, the file in the page cache; medians. "Bare" is the same file read into a fresh WebAssembly
// memory of its size and nothing else: what the operating system's new pages and copies allow.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options, positionals: paths } = parseArgs({
  allowPositionals: true,
  options: { starts: { type: 'string', default: '5' }, threads: { type: 'string', default: '1' }, child: { type: 'string' } },
});
const PAGE = 65536;
const PIECE = 4 << 20;
const MEMORY_RULE = 1.25;

const peakBytes = () => process.resourceUsage().maxRSS * 1024;

async function measureLoad(path) {
  const { estimate, load } = await import('../dist/node.js');
  const before = peakBytes();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const model = await load(path, { threads: Number(options.threads) });
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  let first;
  for await (const _ of model.generate([1], { maxTokens: 4, temperature: 0, ignoreEos: true, addSpecial: false })) first ??= performance.now();
  const peak = peakBytes();
  const { weights, kvCache, scratch } = await estimate(path);
  return { seconds, cpu: (user + system) / 1e6, first, before, peak, weights, kvCache, scratch, build: model.info.build };
}

/** As many reads at once as Node has threads for them. */
async function measureBare(path) {
  const { size } = statSync(path);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(size / PAGE), maximum: PAGE });
  const file = await open(path);
  let next = 0;
  const reader = async () => {
    for (let at = next; at < size; at = next) {
      next += PIECE;
      const bytes = Math.min(PIECE, size - at);
      await file.read(new Uint8Array(memory.buffer, at, bytes), 0, bytes, at);
    }
  };
  const start = performance.now();
  await Promise.all([reader(), reader(), reader(), reader()]);
  return { seconds: (performance.now() - start) / 1000 };
}

function startChild(kind, path) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--child', kind, '--threads', options.threads, path], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const mib = (bytes) => Math.round(bytes / 2 ** 20);

function row(path) {
  spawnSync('cat', [path], { stdio: 'ignore' }); // into the page cache; read here, it would count as this process's, and so as its children's, peak memory
  const { size } = statSync(path);
  const starts = Array.from({ length: Number(options.starts) }, () => ({ load: startChild('load', path), bare: startChild('bare', path) }));
  const of = (key) => median(starts.map(({ load }) => load[key]));
  const bare = size / median(starts.map(({ bare: { seconds } }) => seconds)) / 1e9;
  const rate = size / of('seconds') / 1e9;
  const { build } = starts[0].load;
  const limit = MEMORY_RULE * size + of('kvCache');
  const cells = [
    path.split('/').at(-1), build, of('seconds').toFixed(2), rate.toFixed(2), bare.toFixed(2), of('cpu').toFixed(2), of('first').toFixed(0),
    mib(size), mib(of('weights')), mib(of('kvCache')), mib(of('scratch')), mib(of('peak')), mib(of('peak') - of('before')), mib(limit),
  ];
  return `| ${cells.join(' | ')} |`;
}

if (options.child) console.log(JSON.stringify(await (options.child === 'load' ? measureLoad : measureBare)(paths[0])));
else {
  console.log(`Node ${process.versions.node}, ${options.threads} thread${options.threads === '1' ? '' : 's'}; medians of ${options.starts} starts; memory in MiB\n`);
  console.log(`| model | build | load s | GB/s | bare GB/s | CPU s | first token ms | file | weights | KV (f32) | scratch | peak | added by loading | ${MEMORY_RULE} x file + KV |`);
  console.log(`|---|---|${'---:|'.repeat(12)}`);
  for (const path of paths) console.log(row(path));
}
