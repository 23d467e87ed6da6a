// What a page downloads to generate: an application that imports `load`, bundled, minified and gzipped.
import { readFileSync, statSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build, type Metafile, type OutputFile } from 'esbuild';
import { expect, it } from 'vitest';
import type { DType } from '../../src/files/types.js';
import type { KernelSet } from '../../src/host/host.js';
import { ALL_SETS, setsOf } from '../../src/kernels/sets.js';

/** For a file whose weights are of the usual types. */
const LIMIT = 140_000;
/** Gzipped bytes of each set, in the largest build. */
const SETS: Readonly<Record<KernelSet, number>> = { core: 25_500, floats: 4_200, q0: 9_000, q1: 6_500, k: 7_500, q6: 5_200 };

/** Names of the outputs that `name` imports, itself first: statically, and those dynamic ones that `follow` accepts. */
function closure({ outputs }: Metafile, name: string, follow: (inputs: string[]) => boolean, seen = new Set([name])): string[] {
  for (const { path, kind, external } of outputs[name]!.imports) {
    const wanted = kind !== 'dynamic-import' || follow(Object.keys(outputs[path]?.inputs ?? {}));
    if (external || !wanted || seen.has(path)) continue;
    seen.add(path);
    closure({ inputs: {}, outputs }, path, follow, seen);
  }
  return [...seen];
}

/** The engine itself, which `load` of a page fetches. */
const isEngine = (inputs: string[]) => inputs.includes('dist/load-browser.js');

/** An application that imports `name` from `entry`. */
async function bundleApplication(name = 'load', entry = 'stonechat'): Promise<{ metafile: Metafile; files: Map<string, OutputFile> }> {
  const { metafile, outputFiles } = await build({
    stdin: { contents: `import { ${name} } from '${entry}'; globalThis.${name} = ${name};`, resolveDir: process.cwd(), sourcefile: 'app.js' },
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    outdir: 'out',
    metafile: true,
    write: false,
    logLevel: 'error',
  });
  return { metafile, files: new Map(outputFiles.map((file) => [`out/${file.path.split('/out/')[1]}`, file])) };
}

/** What files need, by the types of their matrices: those of llama.cpp's quantisers hold Q6_K, too, and other types where columns are no 256s. */
const FILES: Readonly<Record<string, readonly DType[]>> = {
  'Q4_0': ['q4_0'],
  'Q4_0 with Q6_K': ['q4_0', 'q6_K'],
  'Q8_0': ['q8_0'],
  'Q4_1': ['q4_1', 'q6_K'],
  'Q5_0': ['q5_0', 'q6_K'],
  'Q4_K_M, Q5_K_M': ['q4_K', 'q5_K', 'q6_K'],
  'Q4_K_M with columns that are no 256s': ['q4_K', 'q6_K', 'q5_0', 'q8_0'],
  'Q6_K': ['q6_K'],
  'F16, BF16, F32': ['f16', 'bf16', 'f32'],
};

it.each(Object.entries(FILES))('a file of %s needs at most 140 KB gzipped of JavaScript and kernels', async (name, types) => {
  const { metafile, files } = await bundleApplication();
  const sizes = ['relaxed', 'relaxed-shared', 'simd', 'simd-shared'].map((variant) => {
    const kernels = setsOf(types).map((set) => `dist/kernels/${set}-${variant}.js`);
    const names = closure(metafile, 'out/stdin.js', (inputs) => isEngine(inputs) || inputs.some((path) => kernels.includes(path)));
    const bytes = names.map((file) => gzipSync(files.get(file)!.contents, { level: 9 }).length);
    return { variant, sets: kernels.length, files: names.length, gzipped: bytes.reduce((sum, size) => sum + size, 0) };
  });
  console.log(`${name}: ${sizes.map(({ variant, gzipped }) => `${variant} ${(gzipped / 1000).toFixed(1)}`).join(', ')} KB gzipped`);
  for (const { variant, sets, files: count, gzipped } of sizes) {
    expect(count, `each set of ${variant} is in a chunk of its own`).toBeGreaterThan(sets);
    expect(gzipped, variant).toBeLessThanOrEqual(LIMIT);
  }
});

it('each set of kernels stays as small as it is, whatever others hold', () => {
  const sizes = ALL_SETS.map((set) => [set, gzipSync(readFileSync(`dist/kernels/${set}-relaxed-shared.js`), { level: 9 }).length] as const);
  console.log(sizes.map(([set, size]) => `${set} ${(size / 1000).toFixed(1)} KB`).join(', '));
  for (const [set, size] of sizes) expect(size, set).toBeLessThanOrEqual(SETS[set]);
});

/** Gzipped bytes of our Jinja, which is loaded where a chat template is used; and of what few templates need of it. */
const JINJA = 21_500;
const RARE_JINJA = 14_500;
it('chat templates are in a chunk of their own, and what few of them need in another', async () => {
  const { metafile, files } = await bundleApplication();
  const page = closure(metafile, 'out/stdin.js', isEngine);
  const added = (name: string, loaded: string[]) => closure(metafile, name, () => false).filter((one) => !loaded.includes(one));
  const holding = (input: string) => Object.keys(metafile.outputs).find((name) => metafile.outputs[name]!.entryPoint === input)!;
  const size = (names: string[]) => names.reduce((sum, name) => sum + gzipSync(files.get(name)!.contents, { level: 9 }).length, 0);
  const core = added(holding('dist/jinja.js'), page);
  const lazy = metafile.outputs[core.find((name) => metafile.outputs[name]!.imports.some(({ kind }) => kind === 'dynamic-import'))!]!;
  const rare = added(lazy.imports.find(({ kind }) => kind === 'dynamic-import')!.path, [...page, ...core]);
  console.log(`to render chat templates: ${(size(core) / 1000).toFixed(1)} KB gzipped more; for rare ones ${(size(rare) / 1000).toFixed(1)} more`);
  const holds = (names: string[], word: string) => names.some((name) => files.get(name)!.text.includes(word));
  for (const [names, word] of [[core, 'No first item'], [rare, 'not enough arguments for format string']] as const) expect(holds(names, word)).toBe(true);
  expect(holds(page, 'No first item')).toBe(false);
  expect(size(core)).toBeLessThanOrEqual(JINJA);
  expect(size(rare)).toBeLessThanOrEqual(RARE_JINJA);
});

it('a page that loads in a worker downloads the engine once, as text of the worker, without what few models need', async () => {
  const { metafile, files } = await bundleApplication('loadInWorker');
  const wanted = /\/kernels\/(core|q0|q6)-relaxed-shared\.js$|worker\/model-web\.js$/;
  const names = closure(metafile, 'out/stdin.js', (inputs) => inputs.some((path) => wanted.test(path)));
  const gzipped = names.map((name) => gzipSync(files.get(name)!.contents, { level: 9 }).length);
  console.log(`to generate in a worker: ${gzipped.map((size) => (size / 1000).toFixed(1)).join(' + ')} KB gzipped`);
  expect(gzipped.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(146_000);
});

/** Texts that stand in the code of training alone. */
const TRAINING = ['stonechat-checkpoint', 'adamw_f32', 'learn_merge', '_f32_grad'];

it('what generates does not pull in training, in any chunk; what trains does not need the tools of the bench', async () => {
  const generating = await bundleApplication();
  const inputs = Object.keys(generating.metafile.inputs);
  expect(inputs.filter((path) => /(train|bench)-(kernels|node|browser|edge)/.test(path))).toEqual([]);
  const texts = (files: Map<string, OutputFile>) => [...files].map(([name, { text }]) => ({ name, text }));
  expect(texts(generating.files).filter(({ text }) => TRAINING.some((word) => text.includes(word))).map(({ name }) => name)).toEqual([]);

  const training = await bundleApplication('train', 'stonechat/train');
  const all = texts(training.files).map(({ text }) => text).join('\n');
  for (const word of TRAINING) expect(all).toContain(word);
  expect(Object.keys(training.metafile.inputs).filter((path) => path.includes('bench-'))).toEqual([]);
  const wanted = /dist\/(train-)?kernels\/(core|floats|train)-simd-shared\.js$/;
  const names = closure(training.metafile, 'out/stdin.js', (chunk) => chunk.some((path) => wanted.test(path)));
  const gzipped = names.reduce((sum, name) => sum + gzipSync(training.files.get(name)!.contents, { level: 9 }).length, 0);
  console.log(`to train with simd-shared: ${(gzipped / 1000).toFixed(1)} KB gzipped`);
});

it('the model of the package is at most 2.5 MB as shipped, and no application carries it unasked', async () => {
  expect(statSync('dist/default-model.js').size).toBeLessThanOrEqual(2_500_000);
  const { metafile } = await bundleApplication();
  expect(Object.keys(metafile.inputs)).not.toContain('dist/default-model.js');
});
