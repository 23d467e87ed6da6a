import { type Pace, secondsOf } from './measure.js';
import type { Forms } from './subject.js';
import { Space, type Workbench } from './workbench.js';

export const FLOAT_FORMS = ['multiply, then add', 'relaxed_madd'] as const;
export const INTEGER_FORMS = ['dot_i16x8', 'relaxed dot to i32', 'relaxed dot to i16'] as const;
const SCALAR_FORM = 'one at a time';
/** What assembly/kernels/dot.ts found about codes above 127. */
const DOT_KINDS = ['unsigned (VNNI)', 'signed (Arm)', 'pairs, saturating (x86 without VNNI)'] as const;

const ITERATIONS = 100_000;
/** Within the second level of every cache hierarchy of today. */
const L2_BYTES = 128 << 10;

/** What one core of this machine can do in one build. */
export interface Limits {
  readonly build: string;
  readonly float: { readonly form: string; readonly gflops: number };
  readonly integer: { readonly form: string; readonly gops: number };
  /** Reading, GB/s. */
  readonly memory: number;
  readonly l2: number;
  readonly relaxedDot?: string;
}

interface Probe {
  readonly form: number;
  readonly rate: number;
}

const best = (probes: readonly Probe[]): Probe => probes.reduce((a, b) => (b.rate > a.rate ? b : a));

/** The fastest forms of the probes, and their rates, on one thread. */
export function findLimits(on: Workbench, { milliseconds, warmup }: Pace, memoryBytes: number): { limits: Limits; forms: Forms } {
  const space = new Space(on);
  const { exports } = on.kernels;
  const out = space.allocate(64).address;
  const rate = (work: number, call: () => void) => {
    secondsOf(call, warmup);
    return work / Math.min(...Array.from({ length: 3 }, () => secondsOf(call, milliseconds))) / 1e9;
  };
  const probes = (count: number, probe: (form: number) => number) => best(Array.from({ length: count }, (_, form) => ({ form, rate: probe(form) })));
  const float = probes(exports.probe_float_forms(), (form) => rate(exports.probe_float_operations() * ITERATIONS, () => exports.probe_float(out, ITERATIONS, form, 0, 1)));
  const integer = probes(exports.probe_integer_forms(), (form) =>
    rate(exports.probe_integer_operations(form) * ITERATIONS, () => exports.probe_integer(out, ITERATIONS, form, 0, 1)),
  );
  const reading = (bytes: number, passes: number) => {
    const region = space.allocate(bytes);
    return rate(bytes * passes, () => exports.probe_read(out, region.address, bytes, passes, 0, 1));
  };
  const kind = exports.probe_dot(0);
  const scalar = on.build === 'scalar';
  try {
    const limits: Limits = {
      build: on.build,
      float: { form: scalar ? SCALAR_FORM : FLOAT_FORMS[float.form]!, gflops: float.rate },
      integer: { form: scalar ? SCALAR_FORM : INTEGER_FORMS[integer.form]!, gops: integer.rate },
      memory: reading(memoryBytes, 1),
      l2: reading(L2_BYTES, 64),
      ...(kind >= 0 && { relaxedDot: DOT_KINDS[kind]! }),
    };
    return { limits, forms: { float: float.form, integer: integer.form } };
  } finally {
    space.release();
  }
}
