import { DTYPES, type DType } from '../files/types.js';
import type { Step } from '../kernels/steps.js';
import { packedBytes } from '../run/weights.js';
import { type Case, scratch, type Sizes, stepOf } from './cases.js';
import { floats, weightBytes } from './random.js';
import type { Region, Space } from './workbench.js';

type FloatType = 'f32' | 'f16' | 'bf16';
const isFloat = (type: DType): type is FloatType => type === 'f32' || type === 'f16' || type === 'bf16';

const GROUP_ROWS = 8;
const groupsOf = (rows: number): number => Math.ceil(rows / GROUP_ROWS);

/** A packed matrix of rows x columns, in which the first `distinct` rows come again and again. */
function placeWeights(space: Space, type: DType, columns: number, rows: number, distinct: number): Region {
  const raw = space.place(weightBytes(type, columns, distinct, 1));
  const packed = space.allocate(packedBytes(space.exports, type)(rows, columns));
  space.exports[`repack_${type}`](packed.address, raw.address, distinct, columns);
  const bytes = packedBytes(space.exports, type)(distinct, columns);
  const view = space.view(packed);
  for (let done = bytes; done < packed.bytes; done += bytes) view.copyWithin(done, 0, Math.min(bytes, packed.bytes - done));
  return packed;
}

interface Product {
  readonly type: DType;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** The step for f32 activations, or for int8 ones, which it quantises first. */
function productStep(space: Space, { type, m, n, k }: Product, y: Region, w: Region, threads: number): Step {
  const x = space.place(floats(m * k, 2));
  const own = scratch(space, space.exports.matmul_scratch_bytes(k) >>> 0, threads);
  const stride = groupsOf(n) * GROUP_ROWS;
  if (isFloat(type)) return stepOf(`matmul_f32_${type}`, [y.address, x.address, w.address, own, m, k, stride, k], groupsOf(n));
  const xq = space.allocate((space.exports.q8_row_bytes(k) >>> 0) * m);
  space.exports.quantize_q8(xq.address, x.address, k, k, m, type === 'q8_0' ? 1 : 0, 0, m);
  return stepOf(`matmul_q8_${type}`, [y.address, xq.address, w.address, own, m, k, stride], groupsOf(n));
}

function prepare(space: Space, product: Product, threads: number, distinct: number) {
  const y = space.allocate(product.m * groupsOf(product.n) * GROUP_ROWS * 4);
  const w = placeWeights(space, product.type, product.k, product.n, distinct);
  return { step: productStep(space, product, y, w, threads), reads: w, digest: () => space.hash(y) };
}

function gemm(type: DType, m: number, width: number): Case {
  const operations = 2 * m * width * width;
  return {
    name: `gemm ${type}, ${m} tokens`,
    group: 'gemm',
    unit: isFloat(type) ? 'GFLOP/s' : 'GOP/s',
    work: operations / 1e9,
    limit: { name: isFloat(type) ? 'float' : 'integer', work: operations },
    prepare: (space, threads) => prepare(space, { type, m, n: width, k: width }, threads, width),
  };
}

/** One token against `rows` rows: of them `width` different ones. */
function gemv(type: DType, width: number, rows: number, where: string): Case {
  const distinct = Math.min(width, rows);
  return {
    name: `gemv ${type}${where}`,
    group: where ? 'memory' : 'gemv',
    unit: 'Gweights/s',
    work: (rows * width) / 1e9,
    limit: { name: 'read' },
    prepare: (space, threads) => prepare(space, { type, m: 1, n: rows, k: width }, threads, distinct),
  };
}

/** A row each of `m` sequences against weights in memory: counts the weights once a row. */
function batch(type: DType, m: number, width: number, rows: number): Case {
  const weights = m * rows * width;
  return {
    name: `batch ${type}, ${m} ${m === 1 ? 'row' : 'rows'}`,
    group: 'batch',
    unit: 'Gweights/s',
    work: weights / 1e9,
    limit: { name: isFloat(type) ? 'float' : 'integer', work: 2 * weights },
    prepare: (space, threads) => prepare(space, { type, m, n: rows, k: width }, threads, Math.min(width, rows)),
  };
}

/** As many rows as fill `bytes` of a file with this type; packed they take up to an eighth more. */
const rowsFor = (type: DType, width: number, bytes: number): number => Math.floor(bytes / weightBytes(type, width, 1, 1).length / width) * width;

/** A model's share of memory: more than second caches hold. */
const BATCH_SHARE = 4;

export const matmulCases = ({ width, tokens, batch: batches, memoryBytes }: Sizes): Case[] => [
  ...DTYPES.flatMap((type) => tokens.map((m) => gemm(type, m, width))),
  ...DTYPES.map((type) => gemv(type, width, width, '')),
  ...(memoryBytes ? DTYPES.map((type) => gemv(type, width, rowsFor(type, width, memoryBytes), ', from memory')) : []),
  ...DTYPES.flatMap((type) => {
    const rows = memoryBytes ? rowsFor(type, width, memoryBytes / BATCH_SHARE) : width;
    return batches.map((m) => batch(type, m, width, rows));
  }),
];
