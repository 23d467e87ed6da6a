import { readFile } from 'node:fs/promises';
import { StonechatError } from '../../errors.js';
import type { Build } from '../../kernels/instance.js';
import * as tools from '../bench-node.js';
import { type Arguments, toNumber } from './arguments.js';
import { json } from './format.js';
import { printLine } from './terminal.js';
import { checkOutputs, saveText } from './writing.js';

const listOf = (text: string | undefined): string[] | undefined => text?.split(',').map((part) => part.trim());

async function readBaseline(file: string): Promise<tools.Baseline> {
  const refuse = (found: string, cause?: unknown) =>
    new StonechatError({ code: 'bad-file', expected: `ratios of an earlier run in ${file}`, found, remedy: `Write them with stonechat bench --save ${file}.`, cause });
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw refuse(cause.message, cause);
  });
  try {
    const baseline = JSON.parse(text) as Partial<tools.Baseline> | null;
    if (baseline?.schema === 1 && typeof baseline.ratios === 'object') return baseline as tools.Baseline;
  } catch (cause) {
    throw refuse('no JSON', cause);
  }
  throw refuse('another kind of JSON');
}

/** What is under way, on standard error, and only at a terminal. */
function progress(step: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${step}`);
}

/** Proves that all builds agree, then measures. */
export async function bench(args: Arguments): Promise<number> {
  const compared = args.text('compare');
  const saved = args.text('save');
  await checkOutputs(args, [saved]);
  const baseline = compared === undefined ? undefined : await readBaseline(compared);
  const report = await tools.bench({
    model: args.text('model'),
    kernels: listOf(args.text('kernels')),
    threads: listOf(args.text('threads'))?.map((count) => toNumber(count, '--threads')),
    builds: listOf(args.text('build')) as Build[] | undefined,
    quick: args.has('quick'),
    onProgress: progress,
  });
  progress('');
  if (saved !== undefined) await saveText(saved, baselineText(tools.baselineOf(report)));
  if (args.has('json')) await printLine(json(baseline ? { ...report, changes: tools.changesSince(baseline, report) } : report));
  else await printLine([tools.reportText(report), ...(baseline ? ['', tools.comparisonText(baseline, report)] : [])].join('\n'));
  return 0;
}

/** One ratio a line, so that a change of them can be read. */
function baselineText({ ratios, ...rest }: tools.Baseline): string {
  const lines = Object.entries(ratios).map(([name, values]) => `    ${JSON.stringify(name)}: ${JSON.stringify(values)}`);
  return `${JSON.stringify(rest, null, 2).replace(/\n}$/, '')},\n  "ratios": {\n${lines.join(',\n')}\n  }\n}\n`;
}
