#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { StonechatError } from '../errors.js';
import { readArguments } from './cli/arguments.js';
import { type Command, COMMANDS, DEFAULT_COMMAND } from './cli/commands.js';
import { speakFlags } from './cli/flags.js';
import { json } from './cli/format.js';
import { commandHelp, overview } from './cli/help.js';
import { endLine, exitCodeOf, INTERRUPTED, printLine, widthOfTerminal } from './cli/terminal.js';
import { checkWord } from './cli/words.js';

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

/** Help is read best in lines of at most so many columns. */
const WIDEST = 100;

async function help(command: Command | undefined): Promise<number> {
  const width = Math.min(WIDEST, widthOfTerminal(process.stdout));
  await printLine(command ? commandHelp(command, width) : overview(COMMANDS, width));
  return 0;
}

const NAMES = COMMANDS.map(({ name }) => name);

async function run(argv: readonly string[]): Promise<number> {
  const [first] = argv;
  if (first === '--version') return printLine(await version()).then(() => 0);
  const asks = first === undefined || first === '--help' || first === '-h' || first === 'help';
  if (asks) return help(COMMANDS.find(({ name }) => name === argv[1]));
  const { command, rest } = chooseCommand(argv);
  try {
    const args = readArguments(rest, command.options);
    if (args.has('help')) return await help(command);
    if (rest === argv) checkWord(args.positionals, NAMES, args.has('model'));
    return await command.run(args);
  } catch (error) {
    throw error instanceof StonechatError ? speakFlags(error, command.options) : error;
  }
}

/** Says what went wrong, in one line; as JSON on standard output too where JSON was asked for. Returns the exit code. */
async function report(error: unknown, asJson: boolean): Promise<number> {
  const known = error instanceof StonechatError;
  if (known && error.code === 'aborted') return endLine().then(() => INTERRUPTED);
  const message = error instanceof Error ? error.message : String(error);
  if (asJson) {
    const { code, expected, found, remedy } = known ? error : { code: 'internal', expected: undefined, found: undefined, remedy: undefined };
    await printLine(json({ error: { code, message, expected, found, remedy } }));
  }
  // What was streamed may have stopped in the middle of a line.
  await endLine();
  const detail = process.env['STONECHAT_DEBUG'] && error instanceof Error ? `\n${error.stack}` : '';
  process.stderr.write(`stonechat: ${message}${detail}\n`);
  return known && error.code === 'bad-option' ? NOT_UNDERSTOOD : FAILED;
}

const argv = process.argv.slice(2);
try {
  process.exitCode = exitCodeOf(await run(argv));
} catch (error) {
  process.exitCode = exitCodeOf(await report(error, argv.includes('--json')));
}
