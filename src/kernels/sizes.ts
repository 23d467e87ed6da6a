import { StonechatError } from '../errors.js';

/**
 * Kernels answer how many bytes they need as u32, which wrap around. Each answer is at most this, in exact numbers; where that is 4 GiB
 * or more, the kernel is not asked. tests/kernels/sizes.test.ts holds the list complete and the bounds true.
 */
const BOUNDS: Readonly<Record<string, (...sizes: number[]) => number>> = {
  packed_bytes: (rows, columns) => (rows! + 64) * (columns! + 512) * 5,
  kv_bytes: (context, heads, headDim) => (context! + 64) * heads! * (headDim! + 64) * 10,
  q8_row_bytes: (columns) => (columns! + 512) * 4,
  matmul_scratch_bytes: (columns) => columns! * 40 + (1 << 24),
  attention_scratch_bytes: (headDim, group) => (headDim! + 256) * (group! + 64) * 256 + (1 << 20),
  matmul_grad_scratch_bytes: (columns) => (columns! + 64) * 1024 + (1 << 24),
  attention_sequence_scratch_bytes: (length, headDim) => (length! + 64) * (headDim! + 64) * 64 + (1 << 20),
};

const MOST = 2 ** 32;

/** The name of a kernel that answers with bytes, without the type of its weights. */
export const sizeFunction = (name: string): string | undefined => Object.keys(BOUNDS).find((stem) => name === stem || name.startsWith(`${stem}_`));

export const bytesBound = (name: string, sizes: readonly number[]): number => BOUNDS[sizeFunction(name)!]!(...sizes);

/** What a kernel answers. @throws StonechatError `out-of-memory` where its answer could wrap around. */
export function kernelBytes<Name extends string>(exports: Readonly<Record<Name, (...sizes: number[]) => number>>, name: Name, ...sizes: number[]): number {
  checkSize(bytesBound(name, sizes), `${name}(${sizes.join(', ')})`);
  return exports[name](...sizes) >>> 0;
}

/** @throws StonechatError `out-of-memory` for what no address reaches. */
export function checkSize(bytes: number, what: string): void {
  if (bytes < MOST) return;
  throw new StonechatError({
    code: 'out-of-memory',
    expected: `sizes within the 4 GiB of WebAssembly memory for ${what}`,
    found: `up to ${(bytes / 2 ** 20).toFixed(0)} MiB`,
    remedy: 'Use a smaller model, a shorter context or a shorter text.',
  });
}
