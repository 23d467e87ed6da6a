// src/entry/* -> dist/*.js (ES modules that share chunks), the worker program as text, the kernels in the three
// forms that runtimes can take: base64 text, or imports that edge platforms compile when an application is deployed.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { build } from 'esbuild';
import { join } from 'node:path';
import { SETS, targets } from './build-wasm.mjs';

const entries = () => ['node', 'browser', 'edge', 'cli', 'judge', 'train-node', 'train-browser', 'train-edge', 'bench-node', 'bench-browser', 'bench-edge'].filter((name) => existsSync(`src/entry/${name}.ts`));
export const jsOutputs = () => [...entries().map((name) => `dist/${name}.js`), 'dist/default-model.js', 'dist/worker/program.js', ...SETS.map(({ name }) => `dist/${name}/inline.js`)];

const DEFAULT_MODEL = 'models/default.gguf';

const common = { bundle: true, minify: true, target: 'es2022', legalComments: 'none', logLevel: 'warning', absWorkingDir: process.cwd() };

export async function buildJs() {
  for (const folder of ['worker', ...SETS.map(({ name }) => name)]) mkdirSync(`dist/${folder}`, { recursive: true });
  SETS.forEach(writeKernels);
  writeDefaultModel();
  await Promise.all([writeWorker('node'), writeWorker('web'), writeEntries()]);
}

async function writeEntries() {
  const { metafile } = await build({
    ...common,
    entryPoints: entries().map((name) => `src/entry/${name}.ts`),
    outdir: 'dist',
    chunkNames: 'chunks/[hash]',
    splitting: true,
    format: 'esm',
    platform: 'neutral',
    external: ['#kernels', '#train-kernels', '#bench-kernels', '#worker/*', '#default-model', 'node:*', '@huggingface/jinja'],
    metafile: true,
  });
  const written = new Set(Object.keys(metafile.outputs));
  const chunks = existsSync('dist/chunks') ? readdirSync('dist/chunks') : [];
  for (const chunk of chunks) if (!written.has(`dist/chunks/${chunk}`)) rmSync(`dist/chunks/${chunk}`);
}

/** The program as a module that exports its text; the web one also as the script itself, for pages that must serve it. */
async function writeWorker(kind) {
  const { outputFiles } = await build({ ...common, entryPoints: [`src/entry/worker-${kind}.ts`], format: 'iife', write: false });
  const program = outputFiles[0].text;
  writeFileSync(`dist/worker/${kind}.js`, `export default ${JSON.stringify(program)};\n`);
  if (kind === 'web') writeFileSync('dist/worker/program.js', program);
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

/** Kernels imported when they are asked for. */
function inlineKernels() {
  const load = targets().map((target) => `"${target}":()=>import("./${target}.js")`);
  return `const load={${load}};
export async function kernelCode(build,shared){return decode((await load[shared?build+"-shared":build]()).default)}
${DECODE}`;
}

/** The model that comes with the package, a module of its own: nothing else imports it but the command line, when no model is named. */
function writeDefaultModel() {
  const text = readFileSync(DEFAULT_MODEL).toString('base64');
  writeFileSync('dist/default-model.js', `const text="${text}";\nexport const defaultModel=()=>decode(text);\n${DECODE}`);
}

/** Modules compiled at deployment. No threads there, hence no shared twins. */
function importedKernels({ folder }, suffix) {
  const names = targets().filter((target) => !target.endsWith('-shared'));
  const imports = names.map((name) => `import ${name} from "../${folder.replace('dist/', '')}/${name}.wasm${suffix}";`);
  return `${imports.join('\n')}\nconst modules={${names}};\nexport const kernelCode=async(build)=>modules[build];\n`;
}

function writeKernels(set) {
  for (const target of targets()) {
    const text = readFileSync(join(set.folder, `${target}.wasm`)).toString('base64');
    writeFileSync(`dist/${set.name}/${target}.js`, `export default "${text}";\n`);
  }
  writeFileSync(`dist/${set.name}/inline.js`, inlineKernels());
  writeFileSync(`dist/${set.name}/workerd.js`, importedKernels(set, ''));
  writeFileSync(`dist/${set.name}/edge-light.js`, importedKernels(set, '?module'));
}
