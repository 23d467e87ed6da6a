// What commands that write have in common: nothing that is read is written over, nothing begins that cannot end.
import { mkdir } from 'node:fs/promises';
import { StonechatError } from '../../errors.js';
import { inputFiles } from '../../files/inputs.js';
import type { Arguments } from './arguments.js';
import { adaptersOf, host } from './loading.js';

/** Options, of any command, whose values are models and what belongs to them. */
const MODELS = ['model', 'tokenizer', 'blimp', 'choices', 'lambada'];
/** Options whose values are other files that are read. */
const FILES = ['template', 'config', 'validation', 'text', 'compare'];

/** All that the command line names to be read; `operands` are what stands beside the options. */
async function inputsOf(args: Arguments, operands: readonly string[]): Promise<string[]> {
  const files = FILES.flatMap((name) => args.texts(name));
  const models = [...operands, ...MODELS.flatMap((name) => args.texts(name)), ...adaptersOf(args).map(({ source }) => String(source))];
  const found = await Promise.all(models.filter((name) => name !== '-').map((name) => inputFiles(name, host.list)));
  return [...files, ...found.flat()];
}

/** @throws StonechatError `bad-option` for an output that is read too, `unavailable` for one that cannot be written. */
export async function checkOutputs(args: Arguments, outputs: readonly (string | undefined)[], operands: readonly string[] = []): Promise<void> {
  const written = outputs.filter((output) => output !== undefined);
  if (written.length > 0) await host.checkOutputs(written, await inputsOf(args, operands));
}

/** A small text file. */
export const saveText = (path: string, text: string): Promise<void> => host.save(path, [new TextEncoder().encode(text)]);

/** Makes a folder and those above it; tells the topmost that was not there. @throws StonechatError `unavailable`. */
export const makeFolder = (path: string): Promise<string | undefined> =>
  mkdir(path, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    const found = cause.code === 'EEXIST' || cause.code === 'ENOTDIR' ? 'a file of that name' : cause.message;
    throw new StonechatError({ code: 'unavailable', expected: `a folder ${path}`, found, remedy: 'Name another folder.', cause });
  });
