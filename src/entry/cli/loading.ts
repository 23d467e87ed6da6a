import { visible } from '../../errors.js';
import { existsSync } from 'node:fs';
import { openModel } from '../../files/index.js';
import type { ModelFile } from '../../files/types.js';
import type { GenerateOptions, LoadOptions, LoraSource, Model } from '../../generate/types.js';
import type { Build } from '../../host/host.js';
import { nodeHost } from '../../host/node.js';
import type { EncodeOptions } from '../../text/types.js';
import { createStonechat } from '../load.js';
import { type Arguments, toNumber, unescape } from './arguments.js';
import { codeName } from './flags.js';
import { SAMPLING } from './options.js';
import { ProgressBar } from './terminal.js';
import { readInput, readTextFile } from './texts.js';
import { usage } from './usage.js';

export const host = nodeHost();
export const stonechat = createStonechat(host);

/** What a command works on: a path, a URL, or the bytes of the model that comes with the package. */
export type NamedModel = string | Uint8Array<ArrayBuffer>;

/** The model named by --model; without it the package's own, which is read only then. */
export async function modelOf(args: Arguments): Promise<NamedModel> {
  return args.text('model') ?? (await import('#default-model')).defaultModel();
}

/** Where the model lies that is named by --model, in a list: nowhere, if it is the package's own. */
export const modelPaths = (args: Arguments): readonly string[] => args.texts('model');

export async function templateOf(name: string | undefined): Promise<string | undefined> {
  if (name === undefined || name === 'chatml') return name;
  return readTextFile(name);
}

/** What a number looks like at the end of FILE:SCALE. */
const SCALED = /^(.+):([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)$/is;
/** What stands before a colon, but no scale behind it: a host with its port, and on Windows a drive. */
const NO_FILE = process.platform === 'win32' ? /^[a-z]$|^[a-z][a-z\d+.-]*:\/\/[^/]*$/i : /^[a-z][a-z\d+.-]*:\/\/[^/]*$/i;

/** Adapters named as FILE or FILE:SCALE. A file of just that name comes first. */
export const adaptersOf = (args: Arguments): LoraSource[] =>
  args.texts('lora').map((text) => {
    const [, source, scale] = SCALED.exec(text) ?? [];
    if (source === undefined || NO_FILE.test(source) || existsSync(text)) return { source: text };
    return { source, scale: Number(scale) };
  });

async function loadOptions(args: Arguments): Promise<LoadOptions> {
  const options: LoadOptions = {
    threads: args.number('threads'),
    build: args.text('build') as Build | undefined,
    contextLength: args.number('context'),
    kvCache: args.text('kv-cache') as LoadOptions['kvCache'],
    activations: args.text('activations') as LoadOptions['activations'],
    lora: adaptersOf(args),
    tokenizer: args.text('tokenizer'),
    chatTemplate: await templateOf(args.text('template')),
  };
  return options;
}

/** The model named on the command line, with a bar while it takes long. */
export async function loadModel(args: Arguments, signal?: AbortSignal): Promise<Model> {
  const source = await modelOf(args);
  const progress = new ProgressBar();
  try {
    const model = await loadAny(source, { ...(await loadOptions(args)), onProgress: progress.update, signal });
    progress.end();
    for (const warning of model.info.warnings) process.stderr.write(`stonechat: note: ${visible(warning)}\n`);
    return model;
  } finally {
    progress.end();
  }
}

/** A model of any format, or counted n-grams. */
async function loadAny(source: NamedModel, options: LoadOptions): Promise<Model> {
  if (typeof source !== 'string') return stonechat.load(source, options);
  const { isNgramFile, loadNgrams } = await import('../ngrams.js');
  return (await isNgramFile(host, source)) ? loadNgrams(host, source, options) : stonechat.load(source, options);
}

/** Opens the file of the model, reads no weights. */
export const openFile = (source: NamedModel): Promise<ModelFile> => openModel(source, { open: host.open.bind(host), list: host.list.bind(host) });

export const estimateOf = async (args: Arguments, source: NamedModel) => stonechat.estimate(source, await loadOptions(args));

/** By --add-special, --parse-special and their opposites; undefined where neither is given. */
export function encodingOptions(args: Arguments): EncodeOptions {
  const said = (name: string): boolean | undefined => {
    if (args.has(name) && args.has(`no-${name}`)) throw usage(`--${name} or --no-${name}`, 'both', 'Leave one of them out.');
    return args.has(name) ? true : args.has(`no-${name}`) ? false : undefined;
  };
  const entries = Object.entries({ addSpecial: said('add-special'), parseSpecial: said('parse-special') });
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as EncodeOptions;
}

function biasOf(entries: readonly string[]): Record<number, number> | undefined {
  if (entries.length === 0) return undefined;
  const pairs = entries.flatMap((entry) => entry.split(',')).map((entry) => {
    const at = entry.indexOf('=');
    if (at < 0) throw usage('--bias to be ID=VALUE', JSON.stringify(entry), 'Write --bias 15=-inf, for instance.');
    return [toNumber(entry.slice(0, at), '--bias'), toNumber(entry.slice(at + 1), '--bias')] as const;
  });
  return Object.fromEntries(pairs);
}

/** "none" takes back what stands before it, as in llama.cpp. */
function breakersOf(texts: readonly string[]): string[] | undefined {
  return texts.length > 0 ? texts.slice(texts.lastIndexOf('none') + 1).map(unescape) : undefined;
}

/** What suits the package's own model, which is small: nothing a tenth as likely as the best or less, and what was said often is said less. */
const OWN: GenerateOptions = { minP: 0.1, frequencyPenalty: 0.15 };

/** Options of generate() from the command line. */
export function answerOptions(args: Arguments): GenerateOptions {
  const numbers = SAMPLING.filter(({ name }) => name !== 'seed').map(({ name }) => [codeName(name), args.number(name)]);
  const stop = args.texts('stop'), sampled = numbers.filter(([, value]) => value !== undefined);
  return {
    ...(!args.has('model') && args.number('temperature') !== 0 && !args.number('mirostat') && OWN),
    ...(Object.fromEntries(sampled) as GenerateOptions),
    ...encodingOptions(args),
    maxTokens: args.number('max-tokens'),
    seed: args.integer('seed'),
    drySequenceBreakers: breakersOf(args.texts('dry-sequence-breaker')),
    logitBias: biasOf(args.texts('bias')),
    stop: stop.length > 0 ? stop.map(unescape) : undefined,
    stopIds: args.ids('stop-ids'),
    ignoreEos: args.has('ignore-eos') || undefined,
    overflow: args.text('overflow') as GenerateOptions['overflow'],
    contents: args.text('contents') as GenerateOptions['contents'],
    top: args.number('top'),
  };
}

/** Prompt from --ids, --prompt, what stands alone on the line, or standard input. */
export async function promptOf(args: Arguments): Promise<string | number[]> {
  const ids = args.ids('ids');
  const written = args.positionals.length > 0 ? args.positionals.join(' ') : undefined;
  const given = [ids, args.text('prompt'), written].filter((prompt) => prompt !== undefined);
  if (given.length > 1) throw usage('one prompt', `${given.length}: by --ids, --prompt or a text alone`, 'Leave the others out.');
  const [prompt] = given;
  if (prompt === undefined) throw usage('a prompt', 'none', 'Write it in quotes: stonechat "Once upon a time"; - reads it from standard input.');
  return prompt === '-' ? readInput() : prompt;
}
