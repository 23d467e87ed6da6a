import type { Build } from './host.js';

/** `(func (export "p") (result i32) …)` around a body of at most 125 bytes. */
const probe = (...body: number[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.of(
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // magic, version
    1, 5, 1, 0x60, 0, 1, 0x7f, // type 0: () -> i32
    3, 2, 1, 0, // function 0 has type 0
    7, 5, 1, 1, 0x70, 0, 0, // export "p"
    10, body.length + 4, 1, body.length + 2, 0, ...body, 0x0b, // its code
  );

const splat3 = [0x41, 3, 0xfd, 0x0f];
const splat5 = [0x41, 5, 0xfd, 0x0f];
const splat1000 = [0x41, 0xe8, 7, 0xfd, 0x11];
const relaxedDotAdd = [0xfd, 0x93, 2];
const lane0 = [0xfd, 0x1b, 0];

const simdProbe = probe(...splat3, ...lane0);
const relaxedProbe = probe(...splat3, ...splat5, ...splat1000, ...relaxedDotAdd, ...lane0);

/**
 * Whether the relaxed dot is there and right: 1000 + 4 * 3 * 5. The baseline compiler of V8 11.3 (Node 20) gives 120.
 * Where code may not be compiled from bytes (workerd) only its presence is checked; those engines are younger.
 */
function relaxedIsRight(mayCompile: boolean): boolean {
  if (!WebAssembly.validate(relaxedProbe)) return false;
  if (!mayCompile) return true;
  try {
    const { p } = new WebAssembly.Instance(new WebAssembly.Module(relaxedProbe)).exports as { p: () => number };
    return p() === 1060;
  } catch {
    return false; // a content security policy: compiling the kernels will say so
  }
}

/** Builds that this engine runs rightly, fastest first. */
export function supportedBuilds(mayCompile: boolean): Build[] {
  const builds: Build[] = ['scalar'];
  if (WebAssembly.validate(simdProbe)) builds.unshift('simd');
  if (relaxedIsRight(mayCompile)) builds.unshift('relaxed');
  return builds;
}
