// The chosen build on processors that are not at hand: V8 told to do without what this one has, and each of its compilers alone.
import { beforeAll, describe, it } from 'vitest';
import { prepareModels } from '../harness.js';
import { casesIn, versionOf } from './command.js';

const NODE24 = process.env['STONECHAT_NODE24'] ?? 'node24';
/** Further programs, separated as in PATH: STONECHAT_NODES=/opt/node22/bin/node:/opt/node25/bin/node. */
const NODES = [process.execPath, NODE24, ...(process.env['STONECHAT_NODES']?.split(':') ?? [])];
const FLAGS = [
  ['--no-enable-avx'], ['--no-enable-avx2'], ['--no-enable-avx-vnni'], ['--liftoff-only'], ['--no-liftoff'],
  ['--no-enable-avx', '--liftoff-only'], ['--no-enable-avx', '--no-liftoff'],
];

beforeAll(prepareModels);

describe.each(NODES)('the same bits in %s', (program) => {
  it.for(FLAGS.map((flags) => ({ flags, name: flags.join(' ') })))('$name', async ({ flags, name }, context) => {
    context.skip((await versionOf([program])) === undefined, `no Node as "${program}"`);
    context.skip((await versionOf([program, ...flags])) === undefined, `it does not know ${name}`);
    await casesIn([program, ...flags], null, [2]);
  });
});
