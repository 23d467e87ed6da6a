// ggml's kernels and stonechat's in one process, round by round, at the same sizes.
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';
import { openKernel } from 'stonechat/bench';

const TYPES = ['q8_0', 'q4_0', 'q4_K', 'q6_K', 'f32'];
/** The order of the enum in kernels.c. */
const CODES = { q8_0: 0, q4_0: 1, q4_K: 2, q6_K: 3, f32: 4 };
const WIDTH = 2048;
const TOKENS = 512;
const ROUNDS = 7;
const LEAST_MS = 150;
const PAGE = 65536;

async function openGgml(path) {
  const memory = new WebAssembly.Memory({ initial: 1024, maximum: 16384 });
  const wasi = new WASI({ version: 'preview1' });
  const imports = { ...wasi.getImportObject(), env: new Proxy({ memory }, { get: (known, name) => known[name] ?? (() => { throw new Error(`${String(name)} was called`); }) }) };
  const { instance } = await WebAssembly.instantiate(readFileSync(path), imports);
  instance.exports.init();
  let end = instance.exports.heap();
  const allocate = (bytes) => {
    const address = end;
    end += Math.ceil(bytes / 64) * 64;
    if (end > memory.buffer.byteLength) memory.grow(Math.ceil((end - memory.buffer.byteLength) / PAGE));
    return address;
  };
  return { exports: instance.exports, memory, allocate };
}

/** Random codes with sound scales: a block begins, or for q6_K ends, with f16 scales of about 2^-10. */
function fillWeights(bytes, type) {
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.random() * 256;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (type === 'f32') for (let at = 0; at < bytes.length; at += 4) view.setFloat32(at, Math.random() - 0.5, true);
  const blocks = { q8_0: [34, [0]], q4_0: [18, [0]], q4_K: [144, [0, 2]], q6_K: [210, [208]] }[type];
  if (blocks) for (let at = 0; at < bytes.length; at += blocks[0]) for (const scale of blocks[1]) view.setUint16(at + scale, 0x1400, true);
}

/** A call of ggml's product of m tokens. */
function ggmlCall({ exports, memory, allocate }, type, m) {
  const code = CODES[type];
  const w = allocate(exports.row_bytes(code, WIDTH) * WIDTH);
  const x = allocate(m * WIDTH * 4);
  const active = allocate(exports.active_row_bytes(code, WIDTH) * m);
  const y = allocate(m * WIDTH * 4);
  fillWeights(new Uint8Array(memory.buffer, w, exports.row_bytes(code, WIDTH) * WIDTH), type);
  new Float32Array(memory.buffer, x, m * WIDTH).forEach((_, i, all) => (all[i] = Math.random() - 0.5));
  exports.quantise_rows(code, x, active, m, WIDTH);
  return (times) => {
    for (let i = 0; i < times; i++) exports.mul_mat(code, y, active, w, m, WIDTH, WIDTH);
  };
}

/** Seconds of one call, of as many as fill LEAST_MS. */
function secondsOf(run) {
  let times = 0;
  const start = performance.now();
  do {
    run(1);
    times++;
  } while (performance.now() - start < LEAST_MS);
  return (performance.now() - start) / 1000 / times;
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

async function compare(ggml, type, m) {
  const name = m === 1 ? `gemv ${type}` : `gemm ${type}, ${m} tokens`;
  const work = ((m === 1 ? 1 : 2) * m * WIDTH * WIDTH) / 1e9;
  const runs = { ggml: ggmlCall(ggml, type, m), relaxed: (await openKernel(name, 'relaxed')).run, simd: (await openKernel(name, 'simd')).run };
  const rates = { ggml: [], relaxed: [], simd: [] };
  for (const run of Object.values(runs)) for (let i = 0; i < 3; i++) secondsOf(run); // the optimising compiler comes in
  for (let round = 0; round < ROUNDS; round++) for (const [who, run] of Object.entries(runs)) rates[who].push(work / secondsOf(run));
  const ratio = (build) => median(rates[build].map((rate, round) => rate / rates.ggml[round]));
  const ratios = { relaxedRatio: ratio('relaxed'), simdRatio: ratio('simd') };
  return { ggml: median(rates.ggml), relaxed: median(rates.relaxed), simd: median(rates.simd), ...ratios };
}

export async function compareWithGgml(path) {
  const ggml = await openGgml(path);
  const rows = [];
  for (const type of TYPES) {
    const row = { type, gemm: await compare(ggml, type, TOKENS), ...(type !== 'f32' && { gemv: await compare(ggml, type, 1) }) };
    rows.push(row);
    console.error(`  ${type}: GEMM ${row.gemm.relaxedRatio.toFixed(2)}x${row.gemv ? `, GEMV ${row.gemv.relaxedRatio.toFixed(2)}x` : ''}`);
  }
  return rows;
}
