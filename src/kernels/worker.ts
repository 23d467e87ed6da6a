import { arrivalOf, CONTROL, type Control, controlAt, meetAt, takeCount, threadsOf, type Waiting } from './control.js';
import { type Build, instantiateKernels } from './instance.js';
import { bindSteps, type Step, walk } from './steps.js';

/** The one message a worker gets. It then belongs to the control block until told to stop. */
export interface WorkerTask {
  modules: readonly WebAssembly.Module[];
  memory: WebAssembly.Memory;
  build: Build;
  steps: readonly Step[];
  controlAddress: number;
  /** Of the kernel at the barrier, see control.ts. */
  looks: number;
  thread: number;
  threads: number;
}

export type WorkerReply = { type: 'ready' } | { type: 'failed'; message: string };

const IDLE_PATIENCE_MS = 1000;
/** A worker stays awake for so long after a run: the next token comes sooner, unless the consumer takes its time, as it then did last time. */
const AWAKE_MS = 0.5;
const LOOKS_PER_CLOCK = 64;

/** Waits until the run counter leaves `seen`, or the pool is stopped: first awake, if `awake`, then asleep. Returns whether it came soon. */
function awaitRun({ words }: Control, seen: number, awake: boolean): boolean {
  const start = performance.now();
  const awakeUntil = awake ? start + AWAKE_MS : start;
  while (performance.now() < awakeUntil) {
    for (let i = 0; i < LOOKS_PER_CLOCK; i++) if (Atomics.load(words, CONTROL.run) !== seen) return true;
  }
  while (Atomics.load(words, CONTROL.run) === seen && !Atomics.load(words, CONTROL.stop)) {
    Atomics.wait(words, CONTROL.run, seen, IDLE_PATIENCE_MS);
  }
  return performance.now() - start < AWAKE_MS;
}

/** Walks the plan each time the caller starts a run. Returns when the pool stops or another thread has failed. */
function serve(task: WorkerTask, ready: () => void): void {
  const kernels = instantiateKernels(task.modules, task.build, task.memory);
  const control = controlAt(task.memory, task.controlAddress, task.threads);
  const bound = bindSteps(task.steps, kernels.exports, task.thread);
  const over = () => Atomics.load(control.words, CONTROL.stop) !== 0;
  const overdue = () => {
    if (over()) throw new Error('the pool was stopped');
  };
  const waiting: Waiting = { threads: task.threads, looks: task.looks, inHaste: 0, slept: 0, canWait: true, patienceMs: IDLE_PATIENCE_MS, overdue };
  const meet = () => meetAt(kernels, control, task.thread, waiting);
  let seen = Atomics.load(control.words, CONTROL.run);
  let awake = true;
  ready();
  for (;;) {
    awake = awaitRun(control, seen, awake);
    if (over()) return;
    seen = Atomics.load(control.words, CONTROL.run);
    takeCount(waiting, threadsOf(seen));
    Atomics.store(control.words, arrivalOf(task.thread), Atomics.load(control.words, CONTROL.base));
    if (task.thread < waiting.threads) walk(bound, control.slots, task.thread, waiting.threads, meet);
    else awake = false;
  }
}

/**
 * The worker program: a host binds it to its message port. `atExit` calls back when the program is ended from within, the one
 * end that its caller, who may be waiting for it in a run, hears of no other way.
 */
export function runWorker(task: WorkerTask, reply: (message: WorkerReply) => void, atExit?: (listener: () => void) => void): void {
  let serving = true;
  const { words } = controlAt(task.memory, task.controlAddress, task.threads);
  const fail = () => void Atomics.store(words, CONTROL.failed, task.thread);
  atExit?.(() => serving && !Atomics.load(words, CONTROL.stop) && fail());
  try {
    serve(task, () => reply({ type: 'ready' }));
  } catch (error) {
    fail();
    reply({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
  serving = false;
}
