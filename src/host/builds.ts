import { unavailable } from '../files/refuse.js';
import type { Build } from './host.js';
import { type Case, casesOf, openProbe, type Operands, type Operation, probeModule } from './probe.js';

/** A build's vector instructions are right in each case of `cases`, or the build is not offered. */
const SIMD = casesOf('mul', 'add');
const RELAXED = casesOf('dot16', 'dot32', 'madd');

/** How a machine reads codes above 127 in a relaxed dot: see assembly/kernels/dot.ts. */
type Reading = 'unsigned' | 'signed';

const same = (a: Int32Array, b: Int32Array): boolean => a.every((word, i) => word === b[i]);

/** Whether all results of an operation are this vector. */
function allAre(cases: readonly Case[], found: Int32Array, wanted: Operation, { buffer }: Operands[number]): boolean {
  const vector = new Int32Array(buffer);
  return cases.every(({ operation }, i) => operation !== wanted || same(vector, found.subarray(4 * i)));
}

const lanes = (count: number, value: (lane: number) => number) => Array.from({ length: count }, (_, i) => value(i));
const bytes = (value: (lane: number) => number) => Uint8Array.from(lanes(16, value));
const floats = (value: number) => new Float32Array(4).fill(value);

/** Small sums and products are not flushed to 0, as 32-bit Arm does in vectors. The least f32 that is no subnormal is 2^-126. */
function keepsSubnormals(): boolean {
  const probe = openProbe(SIMD);
  const none = new Int32Array(4);
  const of = (a: number, b: number) => probe([none, none, none, floats(a), floats(b)]);
  return (
    allAre(SIMD, of(2 ** -126, 0.75), 'mul', floats(0.75 * 2 ** -126)) && allAre(SIMD, of(2 ** -127, 2 ** -129), 'add', floats(1.25 * 2 ** -127))
  );
}

const SUMS = Int32Array.of(1000, -1, 2 ** 20, -(2 ** 30));
/** (1 + 2^-12)^2 - 1 is 2^-11, and 2^-24 more where it is rounded once. */
const FACTORS = [floats(1 + 2 ** -12), floats(1 + 2 ** -12), floats(-1)];
/** Any bytes times codes of seven bits; small ones times any codes; and, as dot.ts asks, what tells how these are read. */
const SEVEN = [bytes((i) => 37 * i + 90), bytes((i) => (53 * i + 127) & 127), SUMS, ...FACTORS];
const EIGHT = [bytes((i) => (i % 17) - 8), bytes((i) => 255 - 9 * i), SUMS, ...FACTORS];
const HIGH = [bytes(() => 127), bytes(() => 0xf3), SUMS, ...FACTORS];

function exactDot([x, codes, sums]: Operands, operation: 'dot16' | 'dot32', reading: Reading): Int16Array | Int32Array {
  const signed = (byte: number) => (byte << 24) >> 24;
  const products = lanes(16, (i) => signed(x![i]!) * (reading === 'signed' ? signed(codes![i]!) : codes![i]!));
  const sum = (width: number, lane: number) => products.slice(width * lane, width * (lane + 1)).reduce((a, b) => a + b);
  return operation === 'dot16' ? Int16Array.from(lanes(8, (i) => sum(2, i))) : Int32Array.from(lanes(4, (i) => sum(4, i) + sums![i]!));
}

/** Every result is exact, and codes above 127 are read as the kernels will find out that they are. */
function isRight(probe: ReturnType<typeof openProbe>): boolean {
  const dot = (operands: Operands, operation: 'dot16' | 'dot32', reading: Reading) =>
    allAre(RELAXED, probe(operands), operation, exactDot(operands, operation, reading));
  const wide = (['unsigned', 'signed'] as const).find((reading) => dot(HIGH, 'dot32', reading));
  const saturating = Int32Array.from(SUMS, (sum) => sum + 2 * 0x7fff);
  const madd = (sum: number) => allAre(RELAXED, probe(SEVEN), 'madd', floats(sum));
  return (
    dot(SEVEN, 'dot16', 'signed') && dot(SEVEN, 'dot32', 'signed') &&
    (wide ? dot(EIGHT, 'dot32', wide) : dot(EIGHT, 'dot16', 'unsigned') && allAre(RELAXED, probe(HIGH), 'dot32', saturating)) &&
    (madd(2 ** -11) || madd(2 ** -11 + 2 ** -24))
  );
}

/** Rounds after which engines have made code faster, twice and more: 2 ms. */
const BATCHES = 5;
const ROUNDS = 10_000;

/** Right in the compiler that runs first, and the same when the code was hot and another one has compiled it again. */
function staysRight(): boolean {
  const probe = openProbe(RELAXED);
  const all = () => [SEVEN, EIGHT, HIGH].map((operands) => probe(operands));
  if (!isRight(probe)) return false;
  const first = all();
  for (let batch = 0; batch < BATCHES; batch++) {
    probe(SEVEN, ROUNDS);
    if (!all().every((found, i) => same(found, first[i]!))) return false;
  }
  return true;
}

/** Whether vectors of a kind are there and right. Where code may not be compiled from bytes, only whether they are there. */
function offers(cases: readonly Case[], isRight: () => boolean, mayCompile: boolean): boolean {
  if (!WebAssembly.validate(probeModule(cases))) return false;
  if (!mayCompile) return true;
  try {
    return isRight();
  } catch {
    return cases === SIMD; // a content security policy: compiling the kernels will say so
  }
}

function findBuilds(mayCompile: boolean): Build[] {
  const builds: Build[] = ['scalar'];
  if (!offers(SIMD, keepsSubnormals, mayCompile)) return builds;
  builds.unshift('simd');
  if (offers(RELAXED, staysRight, mayCompile)) builds.unshift('relaxed');
  return builds;
}

/** Numbers lie in WebAssembly's memory, and in every file that is read, with their low bytes first. */
function refuseBigEndian(): void {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) return;
  throw unavailable('a little-endian processor', 'a big-endian one', 'Use another machine: x86, Arm, RISC-V and ppc64le are little-endian.');
}

const found = new Map<boolean, readonly Build[]>();

/** Builds that this engine runs rightly, fastest first: asked once. @throws StonechatError `unavailable` on a big-endian machine. */
export function supportedBuilds(mayCompile: boolean): readonly Build[] {
  refuseBigEndian();
  const builds = found.get(mayCompile) ?? findBuilds(mayCompile);
  found.set(mayCompile, builds);
  return builds;
}
