import type { Build } from '../kernels/instance.js';
import { controlBytes, type Pool, singleThread, startPool } from '../kernels/pool.js';
import { type Argument, constant, SLOT, type Step } from '../kernels/steps.js';
import { type Case, GATE, gated, type Prepared } from './cases.js';
import type { Region, Space, Workbench } from './workbench.js';

/** A case on one build and a number of threads, ready to be called again and again. */
export interface Subject {
  readonly build: Build;
  readonly threads: number;
  run(): void;
  /** Runs into the limit of the machine, on the same threads; operations or bytes of one call. Absent where no limit applies. */
  readonly limit?: { readonly work: number; run(): void };
  /** Of the result of one call from fresh operands. */
  digest(): string;
  /** Ends the threads. */
  close(): void;
}

/** Forms of the arithmetic probes that were fastest on this machine. */
export interface Forms {
  readonly float: number;
  readonly integer: number;
}

/** About a millisecond of one core each; joining the threads takes about 10 microseconds. */
const ITERATIONS = 500_000;
const READ_AT_LEAST = 4 << 20;
/** The reading loop's step: see assembly/kernels/probe.ts. */
const STEP_BYTES = 128;

const bytesFor = (threads: number): number => 32 + 16 * threads;

/** The probe of a case's limit, gated by the other slot, and its work in one call. */
function limitStep(on: Workbench, { limit }: Case, { reads }: Prepared, out: Region, forms: Forms, threads: number): { step: Step; work: number } | undefined {
  if (!limit) return undefined;
  const { exports } = on.kernels;
  const shared = (kernel: 'probe_float' | 'probe_integer' | 'probe_read', ...list: number[]): Step => ({
    kernel, arguments: list.map((value): Argument => constant(value)), items: gated(SLOT.outputTokens, threads),
  });
  if (limit.name === 'float') return { step: shared('probe_float', out.address, ITERATIONS, forms.float), work: exports.probe_float_operations() * ITERATIONS * threads };
  if (limit.name === 'integer') {
    return { step: shared('probe_integer', out.address, ITERATIONS, forms.integer), work: exports.probe_integer_operations(forms.integer) * ITERATIONS * threads };
  }
  const { address, bytes } = reads!;
  const part = Math.floor(bytes / threads / STEP_BYTES) * STEP_BYTES;
  const passes = Math.ceil(READ_AT_LEAST / bytes);
  return { step: shared('probe_read', out.address, address, part, passes), work: part * threads * passes };
}

/** Threads that walk these steps. Kernels and limits are let through by a slot each: GATE, and `outputTokens`. */
export async function openSteps(on: Workbench, space: Space, steps: readonly Step[], threads: number): Promise<Pool> {
  if (threads === 1) return singleThread(on.kernels, steps);
  return startPool(on.host, on.kernels, steps, threads, space.allocate(controlBytes(threads)).address);
}

/** Starts the threads of a prepared case. */
export async function openSubject(on: Workbench, space: Space, each: Case, prepared: Prepared, forms: Forms, threads: number): Promise<Subject> {
  const { step } = prepared;
  if (typeof step === 'function') return { build: on.build, threads: 1, run: step, digest: () => digest(step, prepared), close: () => {} };
  const limit = limitStep(on, each, prepared, space.allocate(bytesFor(threads)), forms, threads);
  const pool = await openSteps(on, space, limit ? [step, limit.step] : [step], threads);
  const walk = (kernel: number, probe: number, count: number) => () => {
    pool.slots[GATE] = kernel;
    pool.slots[SLOT.outputTokens] = probe;
    pool.slots[SLOT.stepCount] = count;
    pool.run();
  };
  const run = walk(1, 0, 1);
  const close = () => pool.stop();
  return { build: on.build, threads, run, digest: () => digest(run, prepared), close, ...(limit && { limit: { work: limit.work, run: walk(0, 1, 2) } }) };
}

function digest(run: () => void, prepared: Prepared): string {
  prepared.restore?.();
  run();
  return prepared.digest();
}
