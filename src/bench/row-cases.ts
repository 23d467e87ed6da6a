import { KEY_BLOCK, keyBlocks } from '../kernels/layout.js';
import { type Case, type Group, type Prepared, scratch, type Sizes, stepOf } from './cases.js';
import { floats, unitMatrix } from './random.js';
import type { Region, Space } from './workbench.js';

const EPSILON = 1e-5;
/** Heads of a Llama 3.2 1B layer. */
const HEADS = 32;
const KV_HEADS = 8;
const HEAD_DIM = 64;

interface RowCase {
  readonly name: string;
  readonly group: Group;
  readonly rows: number;
  /** Elements of a row that are read, and that are written. */
  readonly reads: number;
  readonly writes: number;
  readonly prepare: (space: Space, x: Region, y: Region) => Omit<Prepared, 'reads' | 'digest'> & Partial<Pick<Prepared, 'digest'>>;
}

/** A kernel that goes over rows once: bytes read and written, beside the rate at which its input can be read. */
const rowCase = ({ name, group, rows, reads, writes, prepare }: RowCase): Case => ({
  name,
  group,
  unit: 'GB/s',
  work: (4 * rows * (reads + writes)) / 1e9,
  limit: { name: 'read', work: 4 * rows * (reads + writes) },
  prepare(space) {
    const x = space.place(floats(rows * reads, 3));
    const y = space.allocate(rows * writes * 4);
    return { reads: x, digest: () => space.hash(y), ...prepare(space, x, y) };
  },
});

const softmax = (n: number, rows: number): Case =>
  rowCase({
    name: `softmax, ${rows} x ${n}`, group: 'softmax', rows, reads: n, writes: n,
    prepare: (_, x, y) => ({ step: stepOf('softmax_f32', [y.address, x.address, n, n, n, 1], rows) }),
  });

const rmsnorm = (n: number, rows: number): Case =>
  rowCase({
    name: `rmsnorm, ${rows} x ${n}`, group: 'rmsnorm', rows, reads: n, writes: n,
    prepare: (space, x, y) => ({ step: stepOf('rmsnorm_f32', [y.address, x.address, space.place(floats(n, 4)).address, n, 1, n, n, EPSILON], rows) }),
  });

const gate = (n: number, rows: number): Case =>
  rowCase({
    name: `silu x up, ${rows} x ${n}`, group: 'gate', rows, reads: 2 * n, writes: n,
    prepare: (_, x, y) => ({ step: stepOf('silu_mul_f32', [y.address, x.address, x.address + 4 * n, n, n, 2 * n, 2 * n], rows) }),
  });

/** Works in place, so that every call turns further; before its result is looked at, the rows are written anew. */
function rope(rows: number): Case {
  const width = HEADS * HEAD_DIM;
  return rowCase({
    name: `rope, ${rows} x ${width}`, group: 'rope', rows, reads: width, writes: width,
    prepare(space, x) {
      const fresh = floats(rows * width, 5);
      const frequencies = space.allocate((HEAD_DIM / 2) * 8);
      const angles = space.allocate(rows * HEAD_DIM * 4);
      space.exports.rope_frequencies(frequencies.address, HEAD_DIM, 10_000, 0, 1, 0, 0, 0);
      const positions = space.place(Int32Array.from({ length: rows }, (_, row) => 100 + row));
      space.exports.rope_angles(angles.address, frequencies.address, HEAD_DIM / 2, positions.address, rows, 1);
      return {
        step: stepOf('rope_f32', [x.address, angles.address, 0, HEADS, HEAD_DIM, HEAD_DIM, 0, 0, width], rows),
        restore: () => space.write(x, fresh),
        digest: () => space.hash(x),
      };
    },
  });
}

/** Codes lie differently in each build: what they say is read back by multiplying with the unit matrix. */
function quantize(k: number, rows: number): Case {
  return rowCase({
    name: `quantize, ${rows} x ${k}`, group: 'quantize', rows, reads: k, writes: k / 4,
    prepare(space, x) {
      const { exports } = space;
      const rowBytes = exports.q8_row_bytes(k) >>> 0;
      const xq = space.allocate(rowBytes * rows);
      return { step: stepOf('quantize_q8', [xq.address, x.address, k, k, rows, 0], rows), digest: () => readBack(space, xq.address, k) };
    },
  });
}

function readBack(space: Space, xq: number, k: number): string {
  const { exports } = space;
  const raw = space.place(unitMatrix(k));
  const unit = space.allocate(exports.packed_bytes_q4_0(k, k) >>> 0);
  exports.repack_q4_0(unit.address, raw.address, k, k);
  const y = space.allocate(k * 4);
  const own = space.allocate(exports.matmul_scratch_bytes(k) >>> 0);
  exports.matmul_q8_q4_0(y.address, xq, unit.address, own.address, 1, k, k, 0, k / 8);
  return space.hash(y);
}

/** Caches, and the bytes of an element. */
const CACHES = { f32: 4, f16: 2, q8_0: 1.125, q4_0: 0.5625 } as const;
type CacheType = keyof typeof CACHES;

/** The pages of one sequence, one after another, and what the kernels must know of the last m of its tokens. */
function fillCache(space: Space, type: CacheType, context: number) {
  const { exports } = space;
  const pageBytes = exports[`kv_bytes_${type}`](KEY_BLOCK, KV_HEADS, HEAD_DIM) >>> 0;
  const cache = space.allocate(pageBytes * keyBlocks(context));
  const table = space.place(Int32Array.from({ length: keyBlocks(context) }, (_, page) => cache.address + page * pageBytes));
  const width = KV_HEADS * HEAD_DIM;
  const keys = space.place(floats(context * width, 6));
  const values = space.place(floats(context * width, 7));
  const positions = space.place(Int32Array.from({ length: context }, (_, i) => i));
  const pages = space.place(new Int32Array(context).fill(table.address));
  exports[`kv_store_${type}`](0, keys.address, values.address, positions.address, pages.address, KV_HEADS, HEAD_DIM, width, width, 0, context);
  return { cache, positions, pages };
}

function tilesOf(space: Space, rows: number): { address: number; count: number } {
  const most = space.exports.attention_tile_rows(), count = Math.ceil(rows / most);
  const pairs = Array.from({ length: count }, (_, i) => [i * most, Math.min(most, rows - i * most)]);
  return { address: space.place(Int32Array.from(pairs.flat())).address, count };
}

/** The last m tokens of a context; one token counts as bytes of the cache, several as arithmetic. */
function attention(type: CacheType, context: number, m: number): Case {
  const width = HEADS * HEAD_DIM;
  const bytes = context * KV_HEADS * HEAD_DIM * 2 * CACHES[type];
  const operations = 4 * HEADS * HEAD_DIM * m * (context - (m - 1) / 2);
  const decode = m === 1;
  return {
    name: `attention ${type}, ${decode ? '1 token' : `${m} tokens`} of ${context}`,
    group: 'attention',
    unit: decode ? 'GB/s' : 'GFLOP/s',
    work: (decode ? bytes : operations) / 1e9,
    limit: decode ? { name: 'read', work: bytes } : { name: 'float', work: operations },
    prepare(space, threads) {
      const { exports } = space;
      const { cache, positions, pages } = fillCache(space, type, context);
      const tiles = tilesOf(space, m);
      const q = space.place(floats(m * width, 8));
      const y = space.allocate(m * width * 4);
      const own = scratch(space, exports[`attention_scratch_bytes_${type}`](HEAD_DIM, HEADS / KV_HEADS) >>> 0, threads);
      const tables = [positions.address + 4 * (context - m), pages.address, tiles.address] as const;
      const sizes = [tiles.count, HEADS, KV_HEADS, HEAD_DIM, HEAD_DIM ** -0.5, 0, width, width] as const;
      const step = stepOf(`attention_f32_${type}`, [y.address, q.address, 0, ...tables, own, ...sizes], tiles.count * KV_HEADS);
      return { step, reads: cache, digest: () => space.hash(y) };
    },
  };
}

export const rowCases = ({ width, tokens, contexts }: Sizes): Case[] => {
  const rows = tokens[0]!;
  return [
    ...(Object.keys(CACHES) as CacheType[]).flatMap((type) => contexts.flatMap((context) => [attention(type, context, 1), attention(type, context, rows)])),
    softmax(width, rows),
    rmsnorm(width, rows),
    quantize(width, rows),
    rope(rows),
    gate(4 * width, rows),
  ];
};
