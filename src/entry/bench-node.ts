import { cpus } from 'node:os';
import { nodeHost } from '../host/node.js';
import { createBench } from './bench.js';

/** Deno and Bun have process.versions.node as well. */
function describe(): { cpu?: string; runtime: string } {
  const { deno, bun, node } = process.versions;
  const cpu = cpus()[0]?.model.trim();
  return { ...(cpu && { cpu }), runtime: deno ? `Deno ${deno}` : bun ? `Bun ${bun}` : `Node ${node}` };
}

export * from './bench.js';
export const { bench, openKernel } = createBench(nodeHost(), describe);
