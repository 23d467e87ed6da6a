// src/entry/* -> dist/*.js (ES modules that share chunks), the worker program as text, the kernels in the three
// forms that runtimes can take: base64 text, or imports that edge platforms compile when an application is deployed.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { build } from 'esbuild';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { targets, wasmFile } from './build-wasm.mjs';
import { GENERATING } from './kernel-sets.mjs';

/** What applications import as `#kernels` and so on, and the sets in each. */
const KERNELS = [
  { name: 'kernels', sets: GENERATING.map(({ name }) => name) },
  { name: 'train-kernels', sets: ['train'] },
  { name: 'bench-kernels', sets: ['bench'] },
];
const HOSTS = ['node', 'browser', 'edge'];
/** `load-*` stand alone, so that an application which loads in a worker leaves the engine out of its page. */
const ENTRIES = [...HOSTS, 'cli', 'judge', 'samplers', ...['load', 'train', 'bench'].flatMap((part) => HOSTS.map((host) => `${part}-${host}`))];
/** What `in-worker-browser` shares with the entries: one class of errors, one Jinja. */
const SHARED = { errors: 'src/errors.ts', jinja: 'src/text/jinja/index.ts' };
export const jsOutputs = () => [
  ...ENTRIES.map((name) => `dist/${name}.js`),
  ...['static', 'stonechat.browser', 'in-worker-browser', 'default-model', ...Object.keys(SHARED), 'worker/program', 'worker/model-program'].map((name) => `dist/${name}.js`),
  ...KERNELS.map(({ name }) => `dist/${name}/inline.js`),
  'dist/THIRD-PARTY-NOTICES.txt',
];

const DEFAULT_MODEL = 'models/default.gguf';

/** Lines are broken, so that an uncaught error prints the one it stands in, and not a whole file. */
const common = {
  bundle: true, minify: true, lineLimit: 120, target: 'es2022', legalComments: 'none', logLevel: 'warning', absWorkingDir: process.cwd(),
};
/** Beside what they map, for stack traces and debuggers. */
const mapped = { ...common, outdir: 'dist', format: 'esm', platform: 'neutral', sourcemap: 'linked' };

export async function buildJs() {
  for (const folder of ['worker', ...KERNELS.map(({ name }) => name)]) mkdirSync(`dist/${folder}`, { recursive: true });
  KERNELS.forEach(writeKernels);
  writeDefaultModel();
  writeNotices();
  await Promise.all(['node', 'web'].map(writeWorker)); // the others hold their text
  await Promise.all([...['model-node', 'model-web', 'model-whole'].map(writeWorker), writeEntries(), writeStatic()]);
}

async function writeEntries() {
  const written = new Set();
  for (const build of [buildEntries(), buildInWorker(), buildPage()]) for (const file of Object.keys((await build).metafile.outputs)) written.add(file);
  const old = (folder, pattern) => (existsSync(folder) ? readdirSync(folder) : []).filter((name) => pattern.test(name)).map((name) => `${folder}/${name}`);
  for (const file of [...old('dist/chunks', /./), ...old('dist', /\.js\.map$|^page-/)]) if (!written.has(file) && file !== 'dist/static.js.map') rmSync(file);
}

const buildEntries = () =>
  build({
    ...mapped,
    entryPoints: { ...Object.fromEntries(ENTRIES.map((name) => [name, `src/entry/${name}.ts`])), ...SHARED },
    chunkNames: 'chunks/[hash]',
    splitting: true,
    external: [...KERNELS.map(({ name }) => `#${name}`), '#worker/*', '#default-model', 'node:*'],
    plugins: [instead(/\/in-worker-browser\.js$/, () => beside('in-worker-browser'))],
    metafile: true,
  });

const buildInWorker = () =>
  build({
    ...mapped,
    entryPoints: ['src/entry/in-worker-browser.ts'],
    external: ['#kernels', '#worker/*'],
    plugins: [instead(/\/errors\.js$/, () => beside('errors')), instead(/\/jinja\/index\.js$/, () => beside('jinja'))],
    metafile: true,
  });

/** dist/stonechat.browser.js for pages without a bundler: what it needs stands beside it. */
const buildPage = () =>
  build({
    ...mapped,
    entryPoints: { 'stonechat.browser': 'src/entry/browser.ts' },
    chunkNames: 'page-[hash]', // where relative imports mean the same
    sourcesContent: false, // the maps of the entries above have it
    splitting: true,
    conditions: ['browser'],
    plugins: [instead(/^#(kernels|worker\/.*)$/, (name) => beside(name.slice(1).replace(/^kernels$/, 'kernels/inline')))],
    metafile: true,
  });

/** Says from the first line that a file is a module: publint guesses by `exports.`, which kernels have too. */
const MODULE = { js: 'export {};' };

/** No splitting: what others fetch when it is asked for is part of the one file. */
const writeStatic = () => build({ ...mapped, banner: MODULE, entryPoints: ['src/entry/static.ts'], conditions: ['browser'], plugins: [noKernels, workerAsText] });

/** Another file of dist. */
const beside = (name) => ({ path: `./${name}.js`, external: true });

/** Resolves the imports that match in a way of its own. */
const instead = (filter, resolve) => ({ name: String(filter), setup: ({ onResolve }) => onResolve({ filter }, ({ path }) => resolve(path)) });

/** A module made here, for imports that match. */
const madeOf = (filter, contents) => ({
  name: String(filter),
  setup({ onResolve, onLoad }) {
    const namespace = `made ${filter}`;
    onResolve({ filter }, ({ path }) => ({ path, namespace }));
    onLoad({ filter: /.*/, namespace }, ({ path }) => ({ contents: contents(path), loader: 'js', resolveDir: process.cwd() }));
  },
});

const NO_KERNELS = 'no kernels are embedded here: pass them as the option `kernels`, for instance from stonechat/kernels/core/simd.wasm';
const noKernels = madeOf(/^#kernels$/, () => `export const builds=undefined;export async function kernelCode(){throw new Error(${JSON.stringify(NO_KERNELS)})}`);
const workerAsText = madeOf(/^#worker\//, (name) => readFileSync(`dist/${name.slice(1)}.js`, 'utf8'));
/** Text that is evaluated has no imports, but Node's own modules can be had from the process. */
const builtins = madeOf(/^node:/, (name) => `module.exports=process.getBuiltinModule(${JSON.stringify(name)})`);

/** What a worker with a model leaves to the page that started it. */
const jinjaOfCaller = instead(/\/jinja\/index\.js$/, () => ({ path: join(process.cwd(), 'src/remote/jinja.ts') }));
const REST = /\/(llama2c|safetensors|pattern-compiler|normal-forms|readers|rules\/index|adapter-set)\.js$/;
/** What few models need, and a lean worker lacks: only where it is fetched by import(). */
const withoutRest = {
  name: 'without the rest',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: REST }, ({ kind, path }) => (kind === 'dynamic-import' ? { path, namespace: 'rest' } : undefined));
    onLoad({ filter: /.*/, namespace: 'rest' }, () => ({ contents: 'import { wantRest } from "./src/remote/rest.ts"; wantRest();', resolveDir: process.cwd() }));
  },
};

/**
 * The program as a module that exports its text; those of the web also as scripts, for pages that must serve them. Those
 * with a whole model carry no kernels: they ask for them.
 */
async function writeWorker(kind) {
  const model = kind.startsWith('model');
  const { outputFiles } = await build({
    ...common,
    entryPoints: [model ? `src/entry/model-worker-${kind === 'model-node' ? 'node' : 'web'}.ts` : `src/entry/worker-${kind}.ts`],
    format: 'iife',
    ...(model && kind !== 'model-node' && { format: 'esm', banner: MODULE }),
    ...(!kind.endsWith('node') && { lineLimit: 0 }), // browsers print no lines of a source: each end of one is only downloaded
    write: false,
    plugins: model ? [noKernels, builtins, workerAsText, jinjaOfCaller, ...(kind === 'model-web' ? [withoutRest] : [])] : [],
  });
  const program = outputFiles[0].text;
  writeFileSync(`dist/worker/${kind}.js`, `export default ${JSON.stringify(program)};\n`);
  const script = { web: 'program', 'model-whole': 'model-program' }[kind];
  if (script) writeFileSync(`dist/worker/${script}.js`, program);
}

/** Text to bytes, in the scripts that hold base64: the one form that every bundler and runtime loads without a file or a fetch. */
const DECODE = `function decode(text){
if(Uint8Array.fromBase64)return Uint8Array.fromBase64(text);
const {Buffer}=globalThis;
if(Buffer){const{buffer,byteOffset,length}=Buffer.from(text,"base64");return new Uint8Array(buffer,byteOffset,length)}
const binary=atob(text),bytes=new Uint8Array(binary.length);
for(let i=0;i<bytes.length;i++)bytes[i]=binary.charCodeAt(i);
return bytes}
`;

/** Bytes that were gzipped: base64 of what is not yet compressed would compress badly on the way. Bun had no DecompressionStream for long. */
const UNZIP = `async function unzip(bytes){
if(!globalThis.DecompressionStream)return Bun.gunzipSync(bytes);
const stream=new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
return new Uint8Array(await new Response(stream).arrayBuffer())}
`;

/** Kernels imported when they are asked for; where there is one set, it need not be named. */
function inlineKernels({ sets: [first, ...others] }) {
  const load = [first, ...others].map((set) => `"${set}":{${targets().map((target) => `"${target}":()=>import("./${set}-${target}.js")`)}}`);
  return `const load={${load}};
export const builds=${JSON.stringify(BUILDS)};
export async function kernelCode(build,shared,set="${first}"){return unzip(decode((await load[set][shared?build+"-shared":build]()).default))}
${DECODE}${UNZIP}`;
}

/** The model that comes with the package, a module of its own: nothing else imports it but the command line, when no model is named. */
function writeDefaultModel() {
  const text = readFileSync(DEFAULT_MODEL).toString('base64');
  writeFileSync('dist/default-model.js', `const text="${text}";\nexport const defaultModel=()=>decode(text);\n${DECODE}`);
}

const BUILDS = targets().filter((target) => !target.endsWith('-shared'));

/** Modules compiled at deployment. No threads there, hence no shared twins. */
function importedKernels({ sets }, builds, suffix) {
  const name = (set, build) => `${set}_${build}`;
  const imports = sets.flatMap((set) => builds.map((build) => `import ${name(set, build)} from "../wasm/${set}/${build}.wasm${suffix}";`));
  const modules = sets.map((set) => `${set}:{${builds.map((build) => `${build}:${name(set, build)}`)}}`);
  return `${imports.join('\n')}\nexport const builds=${JSON.stringify(builds)};\nconst modules={${modules}};\nexport const kernelCode=async(build,shared,set="${sets[0]}")=>modules[set][build];\n`;
}

function writeKernels(kernels) {
  for (const file of readdirSync(`dist/${kernels.name}`)) rmSync(`dist/${kernels.name}/${file}`);
  for (const set of kernels.sets) {
    for (const target of targets()) {
      const text = gzipSync(readFileSync(wasmFile(set, target)), { level: 9 }).toString('base64');
      writeFileSync(`dist/${kernels.name}/${set}-${target}.js`, `export default "${text}";\n`);
    }
  }
  writeFileSync(`dist/${kernels.name}/inline.js`, inlineKernels(kernels));
  writeFileSync(`dist/${kernels.name}/workerd.js`, importedKernels(kernels, BUILDS, ''));
  // All that is imported is compiled at the start, also by Node 20, which refuses relaxed SIMD: the one build that runs anywhere.
  writeFileSync(`dist/${kernels.name}/edge-light.js`, importedKernels(kernels, ['simd'], '?module'));
}

/** The notices of what is bundled. */
function writeNotices() {
  const loader = 'node_modules/@assemblyscript/loader';
  const { name, version, license, repository } = JSON.parse(readFileSync(`${loader}/package.json`, 'utf8'));
  const folder = 'node_modules/assemblyscript'; // the loader's own package holds neither
  const texts = ['NOTICE', 'LICENSE'].map((file) => readFileSync(`${folder}/${file}`, 'utf8').trim());
  const head = `The files in this folder contain ${name} ${version} (${license}), ${repository.url.replace(/^git\+|\.git$/g, '')}`;
  writeFileSync('dist/THIRD-PARTY-NOTICES.txt', `${[head, ...texts].join(`\n\n${'-'.repeat(78)}\n\n`)}\n`);
}
