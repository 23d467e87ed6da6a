import type { Command } from './commands.js';
import { table } from './format.js';
import { HELP, type OptionSpec, VERSION } from './options.js';

const written = ({ name, short, value }: OptionSpec): string => `${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`;
const optionTable = (options: readonly OptionSpec[]): string => indent(table(options.map((option) => [written(option), option.help])));
const indent = (text: string): string => text.replaceAll(/^/gm, '  ');

/** Of one command. */
export function commandHelp({ name, operands, summary, examples, options }: Command): string {
  return [`${summary}\n`, `Usage: stonechat ${[name, operands, '[options]'].filter(Boolean).join(' ')}`, indent(examples.join('\n')), '\nOptions:', optionTable(options)].join('\n');
}

/** Of all of them. */
export function overview(commands: readonly Command[]): string {
  const list = commands.map(({ name, operands, summary }) => [`${name} ${operands}`.trim(), summary]);
  return [
    'Language models on your own machine.\n',
    'Usage: stonechat [command] [options]',
    indent('stonechat "Once upon a time" --model story.gguf\nstonechat COMMAND --help'),
    '\nCommands:',
    indent(table(list)),
    '\nOptions:',
    optionTable([HELP, VERSION]),
    '\nA text that is also the name of a command goes after generate, one that starts with a dash after --.',
    'Exit code: 0 done, 1 failed, 2 not understood, 130 interrupted. STONECHAT_DEBUG=1 shows where an error came from.',
  ].join('\n');
}
