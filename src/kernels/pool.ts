import { StonechatError } from '../errors.js';
import type { Host, WorkerHandle } from '../host/host.js';
import { arrivalOf, CONTROL, type Control, controlAt, controlBytes, measureLooks, meetAt, nextRun, takeCount, type Waiting } from './control.js';
import type { Kernels } from './instance.js';
import { bindSteps, type BoundStep, SLOT, SLOT_COUNT, type Step, walk } from './steps.js';
import { Turnout } from './turnout.js';
import type { WorkerReply, WorkerTask } from './worker.js';

const START_TIMEOUT_MS = 10_000;
/** A step takes milliseconds. A thread that has not come after this long is dead, unless the run was slow before: then it gets several times as long. */
export const deadAfterMs = (ranMs: number): number => Math.max(10_000, 4 * ranMs);
const PATIENCE_MS = 100;

export { controlBytes };

/** Threads that walk one plan together. The caller's thread is number 0 and computes too. */
export interface Pool {
  readonly threads: number;
  /** Set before each run; see SLOT. */
  readonly slots: Uint32Array;
  /** Walks the plan up to slots[stepCount]; returns when all threads have finished. @throws StonechatError `worker-failed`. */
  run(): void;
  stop(): void;
}

export function singleThread(kernels: Kernels, steps: readonly Step[]): Pool {
  const slots = new Uint32Array(SLOT_COUNT);
  const bound = bindSteps(steps, kernels.exports);
  return { threads: 1, slots, run: () => walk(bound, slots, 0, 1), stop: () => {} };
}

const failure = (found: string, cause?: unknown) =>
  new StonechatError({
    code: 'worker-failed',
    expected: 'every worker thread to answer',
    found,
    remedy: 'Load the model again; with { threads: 1 } no workers are used.',
    cause,
  });

class ThreadPool implements Pool {
  private broken: StonechatError | undefined;
  private started = 0;
  private readonly bound: BoundStep[];
  private readonly waiting: Waiting;
  private readonly turnout: Turnout;
  private meetings = 0;

  constructor(
    private readonly kernels: Kernels,
    private readonly control: Control,
    private readonly workers: readonly WorkerHandle[],
    looks: number,
    { canWait, processors }: Host,
    steps: readonly Step[],
  ) {
    this.waiting = { threads: 0, looks, inHaste: 0, slept: 0, canWait, patienceMs: PATIENCE_MS, overdue: (waitedMs) => this.checkAlive(waitedMs) };
    this.bound = bindSteps(steps, kernels.exports);
    this.turnout = new Turnout(this.threads, processors);
    for (const worker of workers) worker.onFailure((reason) => (this.broken ??= failure(`one that died: ${String(reason)}`, reason)));
  }

  get threads(): number {
    return this.workers.length + 1;
  }

  get slots(): Uint32Array {
    return this.control.slots;
  }

  run(): void {
    if (this.broken) throw this.broken;
    try {
      this.walkTogether(this.turnout.count);
    } catch (error) {
      this.broken = error instanceof StonechatError ? error : failure('a failed step', error);
      this.stop();
      throw this.broken;
    }
  }

  stop(): void {
    this.broken ??= failure('a stopped pool');
    Atomics.store(this.control.words, CONTROL.stop, 1);
    Atomics.notify(this.control.words, CONTROL.run);
    for (const worker of this.workers) worker.terminate();
  }

  private walkTogether(threads: number): void {
    const { waiting, slots } = this;
    const { words } = this.control;
    this.started = performance.now();
    this.meetings = waiting.slept = 0;
    takeCount(waiting, threads);
    Atomics.store(words, CONTROL.base, words[arrivalOf(0)]!);
    Atomics.store(words, CONTROL.run, nextRun(words[CONTROL.run]!, threads));
    if (threads > 1) Atomics.notify(words, CONTROL.run);
    walk(this.bound, slots, 0, threads, this.meet);
    const work = slots[SLOT.tokens]! + 2 ** 12 * (slots[SLOT.stepFirst]! + 2 ** 16 * slots[SLOT.stepCount]!);
    this.turnout.add({ work, ms: performance.now() - this.started, inVain: waiting.slept / this.meetings });
  }

  private readonly meet = (): void => {
    this.meetings++;
    meetAt(this.kernels, this.control, 0, this.waiting);
  };

  private checkAlive(waitedMs: number): void {
    const failed = Atomics.load(this.control.words, CONTROL.failed);
    if (failed) throw failure(`that thread ${failed} stopped with an error`);
    const ran = performance.now() - this.started - waitedMs;
    if (waitedMs >= deadAfterMs(ran)) throw failure(`no answer for ${Math.round(waitedMs / 1000)} s`);
  }
}

function startWorker(host: Host, task: WorkerTask): Promise<WorkerHandle> {
  return new Promise((resolve, reject) => {
    const worker = host.startWorker();
    /** Once it has started, its failures are the pool's: to terminate it here would silence them. */
    let started = false;
    const give = (found: string, cause?: unknown) => {
      if (started) return;
      clearTimeout(timer);
      worker.terminate();
      reject(failure(found, cause));
    };
    const timer = setTimeout(() => give(`no sign of life within ${START_TIMEOUT_MS / 1000} s`), START_TIMEOUT_MS);
    worker.onFailure((reason) => give(`one that could not start: ${String(reason)}`, reason));
    worker.onMessage((message) => {
      const reply = message as WorkerReply;
      if (reply.type === 'failed') return give(`one that could not start: ${reply.message}`);
      started = true;
      clearTimeout(timer);
      resolve(worker);
    });
    worker.post(task);
  });
}

/** Starts `threads - 1` workers on the kernels' shared memory. `controlAddress` holds controlBytes(threads). */
export async function startPool(host: Host, kernels: Kernels, steps: readonly Step[], threads: number, controlAddress: number): Promise<Pool> {
  const { modules, memory, build } = kernels;
  new Uint8Array(memory.buffer, controlAddress, controlBytes(threads)).fill(0);
  const control = controlAt(memory, controlAddress, threads);
  const looks = measureLooks(kernels, control);
  const tasks = Array.from({ length: threads - 1 }, (_, i) => ({ modules, memory, build, steps, controlAddress, looks, thread: i + 1, threads }));
  const started = await Promise.allSettled(tasks.map((task) => startWorker(host, task)));
  const workers = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const bad = started.find((result) => result.status === 'rejected');
  if (bad) {
    for (const worker of workers) worker.terminate();
    throw bad.reason;
  }
  return new ThreadPool(kernels, control, workers, looks, host, steps);
}
