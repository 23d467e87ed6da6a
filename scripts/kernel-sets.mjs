// The sets of kernels, and the exports of those that there is one of for each weight type: assembly/sets/*.ts, written from the one list
// of types, src/kernels/weight-types.ts.
import { mkdirSync, readFileSync } from 'node:fs';
import { transformSync } from 'esbuild';
import { writeIfChanged } from './files.mjs';

const source = transformSync(readFileSync('src/kernels/weight-types.ts', 'utf8'), { loader: 'ts', format: 'esm' }).code;
export const { WEIGHT_TYPES } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

/** The classes that stand for types have names of their own where a type's name is no name for a class. */
const CLASSES = { f32: 'Float32', f16: 'Half', bf16: 'BFloat16' };
const classOf = (type) => CLASSES[type] ?? type.replace('q', 'Q');

/** What each set has for each of its types: a generic function, exported under the names that `name` gives. */
const INFERENCE = [
  { file: 'weights/types', generic: 'packedBytes', name: (type) => `packed_bytes_${type}` },
  { file: 'weights/repack', generic: 'repack', name: (type) => `repack_${type}` },
  { file: 'kernels/embed', generic: 'embed', name: (type) => `embed_f32_${type}` },
  { file: 'kernels/matmul', generic: 'matmul', name: (type) => `matmul_f32_${type}` },
  { file: 'kernels/matmul_q8', generic: 'matmul', name: (type) => `matmul_q8_${type}`, only: ({ quantised }) => quantised },
];
/** Facts of the type itself, for the test that compares both languages: the set of training has them. */
const TRAINING = [
  { file: 'kernels/matmul_grad', generic: 'gradOfX', name: (type) => `matmul_f32_${type}_grad_x` },
  { file: 'weights/types', generic: 'fileElements', name: (type) => `block_elements_${type}` },
  { file: 'weights/types', generic: 'fileBytes', name: (type) => `block_size_${type}` },
];

const typesOf = (set) => Object.keys(WEIGHT_TYPES).filter((type) => WEIGHT_TYPES[type].set === set);
const TYPE_SETS = [...new Set(Object.values(WEIGHT_TYPES).map(({ set }) => set))];

/** Read-only tables: the sets lie beside each other in one memory, below what the arena hands out (64 KiB). */
const TABLES = { core: 1024, types: 24 << 10, each: 1024, train: 32 << 10, bench: 48 << 10 };

/** Sets that generate: `core`, which every model needs, and one for each kind of weights. `threads`: the source asks for THREADS (lanes.ts). */
export const GENERATING = [
  { name: 'core', entry: 'assembly/index.ts', memoryBase: TABLES.core, threads: true },
  ...TYPE_SETS.map((name, i) => ({ name, entry: `assembly/sets/${name}.ts`, memoryBase: TABLES.types + i * TABLES.each })),
];
/** Sets of kernels that only training needs, and the probes of `stonechat bench`. */
export const OTHERS = [
  { name: 'train', entry: 'assembly/train.ts', memoryBase: TABLES.train },
  { name: 'bench', entry: 'assembly/bench.ts', memoryBase: TABLES.bench },
];
export const ALL_SETS = [...GENERATING, ...OTHERS];

/** The files of assembly/sets/, and what is to stand in them. */
export const typeExports = () =>
  new Map([
    ...TYPE_SETS.map((set) => [`assembly/sets/${set}.ts`, exportsOf(INFERENCE, typesOf(set))]),
    ['assembly/sets/train.ts', exportsOf(TRAINING, Object.keys(WEIGHT_TYPES)) + encoders()],
  ]);

export function writeTypeExports() {
  mkdirSync('assembly/sets', { recursive: true });
  for (const [file, text] of typeExports()) writeIfChanged(file, text);
}

const alias = ({ file, generic }) => `${file.split('/')[1]}_${generic}`;

function exportsOf(families, types) {
  const imports = families.map((family) => `import { ${family.generic} as ${alias(family)} } from '../${family.file}';`);
  const classes = types.map((type) => `import { ${classOf(type)} } from '../weights/${type}';`);
  const functions = families.flatMap((family) => types.filter((type) => !family.only || family.only(WEIGHT_TYPES[type])).map((type) => wrapper(family, type)));
  return `// Written by scripts/kernel-sets.mjs from src/kernels/weight-types.ts; do not edit.\n${[...imports, ...classes, '', ...functions].join('\n')}\n`;
}

/** One generic function made for one type, with the parameters of its declaration. */
function wrapper(family, type) {
  const { file, generic } = family;
  const declared = readFileSync(`assembly/${file}.ts`, 'utf8').match(new RegExp(`export function ${generic}<W>\\(([^)]*)\\): (\\w+)`));
  if (!declared) throw new Error(`assembly/${file}.ts declares no generic function ${generic}<W>`);
  const names = declared[1].split(', ').filter(Boolean).map((parameter) => parameter.split(':')[0]);
  const call = `${alias(family)}<${classOf(type)}>(${names.join(', ')})`;
  return `export function ${family.name(type)}(${declared[1]}): ${declared[2]} { ${declared[2] === 'void' ? '' : 'return '}${call}; }`;
}

/** Every type but f32 has an encoder, in its file. */
const encoders = () =>
  Object.keys(WEIGHT_TYPES).filter((type) => type !== 'f32').map((type) => `export { encode_${type} } from '../weights/${type}';\n`).join('');
