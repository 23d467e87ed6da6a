import type { Command } from './commands.js';
import { table } from './format.js';
import { HELP, type OptionSpec, VERSION } from './options.js';
import { wrap } from './width.js';

const written = ({ name, short, value }: OptionSpec): string => `${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`;
const indent = (text: string): string => text.replaceAll(/^/gm, '  ');
const columns = (rows: readonly (readonly string[])[], width: number): string => indent(table(rows, [], width - 2));
const optionTable = (options: readonly OptionSpec[], width: number): string => columns(options.map((option) => [written(option), option.help]), width);
const paragraph = (text: string, width: number): string => wrap(text, width).join('\n');

/** Of one command. Examples stay whole, so that they can be copied. */
export function commandHelp({ name, operands, summary, examples, options }: Command, width: number): string {
  const usage = `Usage: stonechat ${[name, operands, '[options]'].filter(Boolean).join(' ')}`;
  return [paragraph(summary, width), '', usage, indent(examples.join('\n')), '\nOptions:', optionTable(options, width)].join('\n');
}

/** Of all of them. */
export function overview(commands: readonly Command[], width: number): string {
  const list = commands.map(({ name, operands, summary }) => [`${name} ${operands}`.trim(), summary]);
  return [
    'Language models on your own machine.\n',
    'Usage: stonechat [command] [options]',
    indent('stonechat "Once upon a time" --model story.gguf\nstonechat COMMAND --help'),
    '\nCommands:',
    columns(list, width),
    '\nOptions:',
    optionTable([HELP, VERSION], width),
    '',
    paragraph('A text that is also the name of a command goes after generate, one that starts with a dash after --.', width),
    paragraph('Exit code: 0 done, 1 failed, 2 not understood, 130 interrupted. STONECHAT_DEBUG=1 shows where an error came from.', width),
  ].join('\n');
}
