#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { StonechatError } from '../errors.js';
import { nearest } from '../generate/nearest.js';
import { readArguments } from './cli/arguments.js';
import { type Command, COMMANDS, DEFAULT_COMMAND } from './cli/commands.js';
import { json } from './cli/format.js';
import { commandHelp, overview } from './cli/help.js';
import { INTERRUPTED, printLine } from './cli/terminal.js';

const FAILED = 1;
const NOT_UNDERSTOOD = 2;

/** Where nobody reads on (`| head`), there is nothing left to do. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

async function version(): Promise<string> {
  const manifest = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}

/** The command that the first word names; otherwise the line is a prompt. */
function chooseCommand(argv: readonly string[]): { command: Command; rest: readonly string[] } {
  const command = COMMANDS.find(({ name }) => name === argv[0]);
  return command ? { command, rest: argv.slice(1) } : { command: DEFAULT_COMMAND, rest: argv };
}

/** A single word that is almost a command, with nothing to go on with: more likely a slip than a prompt. */
function checkSlip(argv: readonly string[]): void {
  const [word, ...others] = argv;
  if (word === undefined || !/^[a-z]{4,}$/.test(word) || others.some((other) => /^(-m|--model)/.test(other))) return;
  const name = nearest(word, COMMANDS.map(({ name }) => name));
  if (!name || name === word) return;
  throw new StonechatError({ code: 'bad-option', expected: 'a command, or a prompt and a model', found: word, remedy: `Did you mean stonechat ${name}?` });
}

async function run(argv: readonly string[]): Promise<number> {
  if (argv[0] === '--version') return printLine(await version()).then(() => 0);
  if (argv[0] === '--help' || argv[0] === '-h' || argv[0] === 'help') {
    const command = COMMANDS.find(({ name }) => name === argv[1]);
    return printLine(command ? commandHelp(command) : overview(COMMANDS)).then(() => 0);
  }
  const { command, rest } = chooseCommand(argv);
  if (command === DEFAULT_COMMAND) checkSlip(argv);
  const args = readArguments(rest, command.options);
  if (args.has('help')) return printLine(commandHelp(command)).then(() => 0);
  return command.run(args);
}

/** Says what went wrong, in one line; as JSON on standard output too where JSON was asked for. Returns the exit code. */
async function report(error: unknown, asJson: boolean): Promise<number> {
  const known = error instanceof StonechatError;
  if (known && error.code === 'aborted') return INTERRUPTED;
  const message = error instanceof Error ? error.message : String(error);
  if (asJson) {
    const { code, expected, found, remedy } = known ? error : { code: 'internal', expected: undefined, found: undefined, remedy: undefined };
    await printLine(json({ error: { code, message, expected, found, remedy } }));
  }
  const detail = process.env['STONECHAT_DEBUG'] && error instanceof Error ? `\n${error.stack}` : '';
  process.stderr.write(`stonechat: ${message}${detail}\n`);
  return known && error.code === 'bad-option' ? NOT_UNDERSTOOD : FAILED;
}

const argv = process.argv.slice(2);
try {
  process.exitCode = await run(argv);
} catch (error) {
  process.exitCode = await report(error, argv.includes('--json'));
}
