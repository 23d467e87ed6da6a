// Other processors, emulated: Node for them from npm, qemu-user-static, and Debian's cross libraries. scripts/runtimes.sh
// fetches all three; STONECHAT_EMULATED names the folder with a node_modules of Node packages for each.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Build } from 'stonechat';
import { SYNTHETIC } from '../cases.js';
import { findModel, prepareModels } from '../harness.js';
import { casesIn, type Command, run, versionOf } from './command.js';

const FOLDER = process.env['STONECHAT_EMULATED'];
const MINUTES = 60_000;

interface Processor {
  name: string;
  qemu: string;
  libraries: string;
  builds: Build[];
}

/** The builds that are right there: 32-bit Arm flushes subnormals in vectors; this POWER8 has no vectors for V8. */
const PROCESSORS: Processor[] = [
  { name: 'arm64', qemu: 'aarch64', libraries: 'aarch64-linux-gnu', builds: ['scalar', 'simd', 'relaxed'] },
  { name: 'armv7l', qemu: 'arm', libraries: 'arm-linux-gnueabihf', builds: ['scalar'] },
  { name: 'ppc64le', qemu: 'ppc64le', libraries: 'powerpc64le-linux-gnu', builds: ['scalar'] },
];

const nodeFor = (name: string): string => join(FOLDER ?? '', name, 'node_modules', `node-linux-${name}`, 'bin', 'node');
const commandFor = (name: string, qemu: string, libraries: string): Command => [`qemu-${qemu}-static`, '-L', `/usr/${libraries}`, nodeFor(name)];

async function missing(name: string, command: Command): Promise<string | undefined> {
  if (!FOLDER) return 'set STONECHAT_EMULATED: scripts/runtimes.sh does';
  if (!existsSync(nodeFor(name))) return `no Node for ${name} in ${FOLDER}`;
  return (await versionOf(command)) === undefined ? `${command[0]} does not run it` : undefined;
}

beforeAll(prepareModels);

describe('the same bits on emulated processors', () => {
  it.for(PROCESSORS)('$name', { timeout: 20 * MINUTES }, async ({ name, qemu, libraries, builds }, context) => {
    const command = commandFor(name, qemu, libraries);
    const why = await missing(name, command);
    context.skip(why !== undefined, why);
    const { chosen } = await casesIn(command, null, [1]);
    expect(chosen).toBe(builds.at(-1));
  });

  it('s390x, big-endian: one refusal', { timeout: 5 * MINUTES }, async (context) => {
    const command = commandFor('s390x', 's390x', 's390x-linux-gnu');
    const why = await missing('s390x', command);
    context.skip(why !== undefined, why);
    const [program, ...flags] = command;
    const code = `import('${new URL('../../../dist/node.js', import.meta.url).href}').then(({ load }) => load(${JSON.stringify(resolve(findModel(SYNTHETIC)))})).catch(({ name, code, found }) => console.log(name, code, found))`;
    const { stdout } = await run(program, [...flags, '-e', code]);
    expect(stdout.trim()).toBe('StonechatError unavailable a big-endian one');
  });
});
