import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Build } from 'stonechat';
import { serve } from '../browser/server.js';
import type { Outcome } from '../cases.js';
import { bundle, expectSameBits, expectSameTraining, FOLDERS, prepareModels, REAL_MODELS } from '../harness.js';
import type { Trained } from '../training.js';
import type { Job } from './worker.js';

/** The binary of the platform package: node_modules/workerd/bin is filled by an install script that may not have run. */
function findWorkerd(): string | undefined {
  const require = createRequire(createRequire(import.meta.url).resolve('workerd/package.json'));
  const platform = `${process.platform}-${process.arch === 'x64' ? '64' : process.arch}`.replace('win32', 'windows');
  try {
    return require.resolve(`@cloudflare/workerd-${platform}/bin/workerd`);
  } catch {
    return undefined;
  }
}
const workerd = findWorkerd();
const missing = workerd && existsSync(workerd) ? undefined : `no workerd for ${process.platform} ${process.arch} in node_modules`;
const BUILDS: Build[] = ['scalar', 'simd', 'relaxed'];

/** Capability text of a worker made of worker.js and the .wasm files beside it, free to reach this machine. */
function configure(folder: string): string {
  const wasm = readdirSync(folder).filter((name) => name.endsWith('.wasm'));
  const modules = [`(name = "worker.js", esModule = embed "worker.js")`, ...wasm.map((name) => `(name = "${name}", wasm = embed "${name}")`)];
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "internet", network = (allow = ["public", "private", "local"]))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (modules = [${modules.join(', ')}], compatibilityDate = "2026-10-01", globalOutbound = "internet");
`;
}

/** Starts it and waits until it says, on descriptor 3, which port it listens on. */
function start(config: string): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(workerd!, ['serve', config, '--control-fd=3'], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`workerd ended with code ${code}`)));
    let said = '';
    (child.stdio[3] as Readable).on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const port = said.match(/"event":"listen".*"port":(\d+)/)?.[1];
      if (port) resolve({ child, port: Number(port) });
    });
  });
}

describe.skipIf(missing)(`workerd${missing ? `: ${missing}` : ''}`, () => {
  let child: ChildProcess | undefined;
  let server: Server;
  let origin: string;
  let url: string;

  beforeAll(async () => {
    prepareModels();
    const folder = await bundle('workerd', 'tests/runtimes/workerd/worker.ts', {
      platform: 'neutral',
      conditions: ['workerd', 'worker', 'browser'],
      loader: { '.wasm': 'copy' },
    });
    const config = join(folder, 'config.capnp');
    writeFileSync(config, configure(folder));
    ({ server, origin } = await serve(...FOLDERS));
    const started = await start(config);
    child = started.child;
    url = `http://127.0.0.1:${started.port}/`;
  });

  afterAll(() => {
    child?.removeAllListeners('exit');
    child?.kill();
    server?.close();
  });

  it('gives the same bits from precompiled modules, on one thread whatever is asked for', async () => {
    const job: Job = { origin: `${origin}/plain`, realModels: REAL_MODELS, builds: BUILDS, threads: [2] };
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(job) });
    const { outcomes, trained, error } = (await response.json()) as { outcomes?: Outcome[]; trained?: Trained[]; error?: string };
    expect(error).toBeUndefined();
    await expectSameBits(outcomes!, BUILDS, [1]);
    await expectSameTraining(trained!, BUILDS, [1]);
  });
});
