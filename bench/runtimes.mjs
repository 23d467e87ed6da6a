// Relaxed SIMD over plain SIMD in each runtime that is here: node bench/runtimes.mjs [--kernels q8_0,q4_0] [--quick]
// Runtimes are commands on the PATH, or named: --runtimes "node24,bun,deno run -A". Needs `npm run build`.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    kernels: { type: 'string', default: 'q8_0,q4_0,q4_K,q6_K,gemm f32' },
    runtimes: { type: 'string', default: 'node22,node24,bun,deno run -A' },
    quick: { type: 'boolean', default: false },
  },
});
const CLI = resolve(import.meta.dirname, '../dist/cli.js');

function reportOf(runtime) {
  const [command, ...flags] = runtime.split(' ');
  const { status, stdout, stderr, error } = spawnSync(command, [...flags, CLI, 'bench', '--json', '--threads', '1', '--build', 'simd,relaxed', '--kernels', options.kernels, ...(options.quick ? ['--quick'] : [])], {
    encoding: 'utf8', maxBuffer: 1 << 26,
  });
  if (status === 0) return JSON.parse(stdout);
  console.error(`${runtime}: ${error?.code === 'ENOENT' ? 'not here' : stderr.trim().split('\n').at(-1)}`);
  return undefined;
}

const reports = options.runtimes.split(',').flatMap((runtime) => reportOf(runtime) ?? []);
const lines = new Map(reports.flatMap(({ lines: all }) => all.map(({ name, unit }) => [name, unit])));
const shown = (rate) => (rate >= 100 ? rate.toFixed(0) : rate.toPrecision(3));

console.log('relaxed / simd on one thread: rates, and the ratio with the distance between its quartiles. The same bits from both.\n');
console.log(`| kernel | unit | ${reports.map(({ machine }) => machine.runtime).join(' | ')} |\n|---|---|${reports.map(() => '---:|').join('')}`);
for (const [name, unit] of lines) {
  const cells = reports.map(({ lines: all }) => {
    const line = all.find((each) => each.name === name);
    const rate = (build) => line?.cells.find((cell) => cell.build === build)?.rate.median;
    const ratio = line?.ratios[0]?.value;
    return ratio ? `${shown(rate('relaxed'))} / ${shown(rate('simd'))} = ${ratio.median.toFixed(2)}x (${ratio.low.toFixed(2)}-${ratio.high.toFixed(2)})` : '-';
  });
  console.log(`| ${name} | ${unit} | ${cells.join(' | ')} |`);
}
const dots = reports.map(({ machine }) => `${machine.runtime}: ${machine.limits.at(-1)?.relaxedDot ?? '-'}`);
console.log(`\nrelaxed dot, codes above 127: ${dots.join('; ')}`);
