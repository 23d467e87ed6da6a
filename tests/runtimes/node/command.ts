// The cases in another Node, Deno or Bun: a process that runs main.ts.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Build } from 'stonechat';
import type { Outcome } from '../cases.js';
import { bundle, expectSameBits, expectSameTraining, FOLDERS, REAL_MODELS } from '../harness.js';
import type { Trained } from '../training.js';

export const run = promisify(execFile);

export type Command = readonly [program: string, ...flags: string[]];

/** What `--version` says, undefined where there is no such program or it does not know the flags. */
export const versionOf = ([program, ...flags]: Command): Promise<string | undefined> =>
  run(program, [...flags, '--version']).then(({ stdout }) => stdout.trim(), () => undefined);

export const built = (entry: string): Promise<string> =>
  bundle('node', `tests/runtimes/node/${entry}.ts`, { platform: 'node', packages: 'external' }).then((folder) => join(folder, `${entry}.js`));

export interface Ran {
  chosen: Build;
  outcomes: Outcome[];
  training: Trained[];
}

/** Runs the cases in these builds, or in the one that is chosen there, and holds them against the reference. */
export async function casesIn(command: Command, builds: readonly Build[] | null, threads: readonly number[]): Promise<Ran> {
  const [program, ...flags] = command;
  const values = [FOLDERS, builds, threads, REAL_MODELS].map((value) => JSON.stringify(value));
  const { stdout } = await run(program, [...flags, await built('main'), ...values]);
  const ran = JSON.parse(stdout) as Ran;
  await expectSameBits(ran.outcomes, builds ?? [ran.chosen], threads);
  await expectSameTraining(ran.training, builds ?? [ran.chosen], threads);
  return ran;
}
