// What the tests of all runtimes share: the built package bundled for each, the outcomes they must reach, the data.
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import { expect } from 'vitest';
import type { Build } from 'stonechat';
import { dataPath } from '../golden/data.js';
import { casesFor, type Outcome, runCases, SYNTHETIC } from './cases.js';
import { syntheticModel } from './synthetic.js';
import { runTraining, type Trained } from './training.js';

export const REAL_MODELS = existsSync(dataPath('models'));
/** Where models are looked for. */
export const FOLDERS = [resolve('.cache/runtimes/models'), dataPath('models')];

/** Writes the synthetic model. By rename: several test files do it at once. */
export function prepareModels(): void {
  mkdirSync(FOLDERS[0]!, { recursive: true });
  const path = join(FOLDERS[0]!, SYNTHETIC);
  writeFileSync(`${path}.${process.pid}`, syntheticModel());
  renameSync(`${path}.${process.pid}`, path);
}

export const findModel = (model: string): string => FOLDERS.map((folder) => join(folder, model)).find(existsSync)!;

/** Bundles `entry`, which imports `stonechat` as any application does, into .cache/runtimes/<name>/; returns that folder. */
export async function bundle(name: string, entry: string, options: BuildOptions): Promise<string> {
  const outdir = resolve('.cache/runtimes', name);
  await build({
    entryPoints: [entry],
    outdir,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    logLevel: 'error',
    ...options,
  });
  return outdir;
}

let reference: Promise<Outcome[]> | undefined;

/** One outcome per case, from the scalar build on one thread of this Node. */
export function referenceOutcomes(): Promise<Outcome[]> {
  reference ??= import('stonechat').then(({ load }) =>
    runCases({ load, source: findModel, realModels: REAL_MODELS, builds: ['scalar'], threads: [1] }),
  );
  return reference;
}

const key = ({ name, ids, text, logitsHash }: Outcome) => ({ name, ids, text, logitsHash });

/** Every build and thread count asked for was used, and gave what the reference gives, bit for bit. */
export async function expectSameBits(outcomes: readonly Outcome[], builds: readonly Build[], threads: readonly number[]): Promise<void> {
  const expected = await referenceOutcomes();
  for (const { ids, logitsHash } of expected) {
    expect(ids.length).toBeGreaterThan(8);
    expect(logitsHash).toMatch(/^[0-9a-f]{16}$/);
  }
  const wanted = builds.flatMap((each) => threads.flatMap((count) => casesFor(REAL_MODELS).map(({ name }) => `${each} x ${count}: ${name}`)));
  expect(outcomes.map(({ name, build: used, threads: count }) => `${used} x ${count}: ${name}`)).toEqual(wanted);
  for (const outcome of outcomes) {
    const same = expected.find(({ name }) => name === outcome.name)!;
    expect(key(outcome), `${outcome.build} x ${outcome.threads}`).toEqual(key(same));
  }
}

let trained: Promise<Trained[]> | undefined;

/** What training gives in the scalar build on one thread of this Node, every build and thread count must give. */
export async function expectSameTraining(found: readonly Trained[], builds: readonly Build[], threads: readonly number[]): Promise<void> {
  trained ??= import('stonechat/train').then((trainer) => runTraining(trainer, ['scalar'], [1]));
  const [{ hash, validationLoss }] = (await trained) as [Trained];
  expect(validationLoss).toBeLessThan(Math.log(300));
  expect(found).toEqual(builds.flatMap((build) => threads.map((count): Trained => ({ build, threads: count, hash, validationLoss }))));
}
