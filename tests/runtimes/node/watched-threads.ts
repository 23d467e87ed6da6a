// Stands in for node:worker_threads in the bundle of failure.ts: keeps what is started, and puts a text before each program.
import { Worker as Original, type WorkerOptions } from 'node:worker_threads';

export const watched: { readonly started: Original[]; before: string } = { started: [], before: '' };

export class Worker extends Original {
  constructor(program: string, options: WorkerOptions) {
    super(watched.before + program, options);
    watched.started.push(this);
  }
}
