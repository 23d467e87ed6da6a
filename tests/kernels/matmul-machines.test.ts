// Machines read the relaxed dot in three ways (assembly/kernels/dot.ts); the ordinary tests meet one of them. Here the
// relaxed build is compiled twice more, the instruction replaced by an exact model of the other machines.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { QUANTISED, randomRaw } from '../reference/dequantize.js';
import { matmulQ8InOrder } from '../reference/matmul.js';
import { bits, loadSets, random, randomFloats } from './support.js';

const INSTRUCTION = 'i32x4.relaxed_dot_i8x16_i7x16_add_s';
const model = (extend: 'u' | 's') => `
// @ts-ignore: decorator
@inline function model(x: v128, codes: v128, sum: v128): v128 {
  const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(x), i16x8.extend_low_i8x16_${extend}(codes));
  const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(x), i16x8.extend_high_i8x16_${extend}(codes));
  return i32x4.add(sum, i32x4.add(v128.shuffle<i32>(low, high, 0, 2, 4, 6), v128.shuffle<i32>(low, high, 1, 3, 5, 7)));
}`;

function compile(extend: 'u' | 's'): WebAssembly.Module {
  const folder = mkdtempSync(join(tmpdir(), 'stonechat-'));
  try {
    for (const name of ['assembly', 'asconfig.json']) cpSync(name, join(folder, name), { recursive: true });
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
    const file = join(folder, 'assembly/kernels/dot.ts'), source = readFileSync(file, 'utf8');
    expect(source).toContain(INSTRUCTION);
    writeFileSync(file, source.replaceAll(INSTRUCTION, 'model') + model(extend));
    const sets = readdirSync(join(folder, 'assembly/sets')).filter((name) => name !== 'train.ts').map((name) => `export * from './sets/${name.replace('.ts', '')}';\n`);
    writeFileSync(join(folder, 'assembly/all.ts'), `export * from './index';\n${sets.join('')}`);
    execFileSync(process.execPath, ['node_modules/assemblyscript/bin/asc.js', 'assembly/all.ts', '--target', 'relaxed', '-O1', '--outFile', 'all.wasm'], { cwd: folder, stdio: 'pipe' });
    return new WebAssembly.Module(readFileSync(join(folder, 'all.wasm')));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const wanted = process.env['STONECHAT_MACHINES'] !== undefined && Number(process.versions.node.split('.')[0]) >= 22;

describe('a machine whose relaxed dot reads codes as', () => {
  it.skipIf(!wanted).each(['u', 's'] as const)('%s8 (compiles for half a minute: only with STONECHAT_MACHINES=1, on Node 22 or newer)', (extend) => {
    const module = compile(extend), n = 24, k = 512;
    for (const type of QUANTISED) {
      for (const m of [1, 7]) {
        const next = random(m), x = randomFloats(m * k, next), raw = randomRaw(type, n, k, next);
        const { exports, ...bench } = loadSets([module], 'relaxed');
        const packed = bench.allocate(exports[`packed_bytes_${type}`](n, k)), y = bench.allocate(m * n * 4);
        const xq = bench.allocate(exports.q8_row_bytes(k) * m), scratch = bench.allocate(exports.matmul_scratch_bytes(k));
        exports[`repack_${type}`](packed, bench.place(raw), n, k);
        exports.quantize_q8(xq, bench.place(x), k, k, m, 1, 0, m);
        exports[`matmul_q8_${type}`](y, xq, packed, scratch, m, k, n, 0, n / 8);
        expect(bits(bench.floats(y, m * n).slice()), type).toEqual(bits(matmulQ8InOrder(type, x, raw, m, n, k)));
      }
    }
  }, 120_000);
});
