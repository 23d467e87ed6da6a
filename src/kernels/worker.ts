import { CONTROL, type Control, controlAt, meetAt, SPINS } from './control.js';
import { type Build, instantiateKernels, instantiateExtended } from './instance.js';
import { bindSteps, type Step, walk } from './steps.js';

/** The one message a worker gets. It then belongs to the control block until told to stop. */
export interface WorkerTask {
  module: WebAssembly.Module;
  secondModule: WebAssembly.Module | undefined;
  memory: WebAssembly.Memory;
  build: Build;
  steps: readonly Step[];
  controlAddress: number;
  thread: number;
  threads: number;
}

export type WorkerReply = { type: 'ready' } | { type: 'failed'; message: string };

const IDLE_PATIENCE_MS = 1000;

/** Sleeps until the run counter leaves `seen`, or the pool is stopped. */
function awaitRun({ words }: Control, seen: number): void {
  for (let i = 0; i < SPINS && Atomics.load(words, CONTROL.run) === seen; i++);
  while (Atomics.load(words, CONTROL.run) === seen && !Atomics.load(words, CONTROL.stop)) {
    Atomics.wait(words, CONTROL.run, seen, IDLE_PATIENCE_MS);
  }
}

/** Walks the plan each time the caller starts a run. Returns when the pool stops or another thread has failed. */
function serve(task: WorkerTask, ready: () => void): void {
  const { module, secondModule, build, memory } = task;
  const kernels = secondModule ? instantiateExtended(module, secondModule, build, memory) : instantiateKernels(module, build, memory);
  const control = controlAt(task.memory, task.controlAddress);
  const bound = bindSteps(task.steps, kernels.exports, task.thread);
  const over = () => Atomics.load(control.words, CONTROL.stop) !== 0;
  const meet = () =>
    meetAt(kernels, control, task.threads, true, IDLE_PATIENCE_MS, () => {
      if (over()) throw new Error('the pool was stopped');
    });
  let seen = Atomics.load(control.words, CONTROL.run);
  ready();
  for (;;) {
    awaitRun(control, seen);
    if (over()) return;
    seen = Atomics.load(control.words, CONTROL.run);
    walk(bound, control.slots, task.thread, task.threads, meet);
  }
}

/** The worker program: a host binds it to its message port. */
export function runWorker(task: WorkerTask, reply: (message: WorkerReply) => void): void {
  try {
    serve(task, () => reply({ type: 'ready' }));
  } catch (error) {
    const { words } = controlAt(task.memory, task.controlAddress);
    Atomics.store(words, CONTROL.failed, task.thread);
    reply({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}
