import { join } from 'node:path';
import { comparisonSvg } from '../../train/report/compare-picture.js';
import { createTrainer, type ComparedModel, type CompareEvent, type CompareOptions, type Comparison } from '../train.js';
import type { Arguments } from './arguments.js';
import { count, duration, json, several } from './format.js';
import { host } from './loading.js';
import { documentsOf } from './texts.js';
import { interruptible, printableTable, printLine } from './terminal.js';
import { Notes } from './notes.js';
import { TrainDisplay } from './train-display.js';
import { usage } from './usage.js';
import { checkOutputs, makeFolder, saveText } from './writing.js';

const { compare: compareModels } = createTrainer(host);

/** An n-gram model, a feed-forward network and a transformer on the same text: one table. */
export async function compare(args: Arguments): Promise<number> {
  if (args.positionals.length === 0) throw usage('a text to learn from', 'none', 'Write stonechat compare corpus.txt.');
  const folder = args.text('output');
  const separator = args.escaped('separator');
  const corpus = documentsOf(args.positionals, separator);
  const validation = args.texts('validation');
  const options: CompareOptions = {
    steps: args.number('steps'), seconds: args.number('seconds'), order: args.number('order'), seed: args.number('seed'), vocabulary: args.number('vocabulary'), threads: args.number('threads'),
    sampleTokens: args.number('sample-tokens'), samplePrompt: args.text('sample-prompt'), separator,
    validation: validation.length > 0 ? documentsOf(validation, separator) : undefined,
  };
  if (folder !== undefined) await makeFolder(folder);
  const picture = args.text('picture');
  await checkOutputs(args, [picture, ...keptFiles(folder)], args.positionals);
  return interruptible(async (signal) => {
    const progress = new Progress(args);
    const found = await compareModels(corpus, { ...options, signal, onEvent: progress.show }).finally(progress.end);
    const files = folder === undefined ? [] : await keep(folder, found);
    if (picture) await saveText(picture, comparisonSvg(found));
    await printLine(args.has('json') ? json({ kind: 'done', ...found, files }) : report(found, files));
    return 0;
  }, ['SIGINT', 'SIGTERM']);
}

const STAGES = { vocabulary: 'learning the vocabulary', 'n-gram': 'counting n-grams' } as const;

/** One network after another, each with a bar of its own. */
class Progress {
  private display: TrainDisplay | undefined;

  private readonly asJson: boolean;
  private readonly notes: Notes;

  constructor(private readonly args: Arguments) {
    this.asJson = args.has('json');
    this.notes = new Notes(args);
  }

  readonly show = (event: CompareEvent): void => {
    if (event.kind === 'stage') return this.asJson ? void process.stdout.write(`${json(event)}\n`) : this.notes.say(STAGES[event.stage]);
    if (event.kind === 'start') {
      this.end();
      this.display = new TrainDisplay(this.args);
      this.notes.say(`${NAMES[event.model]}:`);
    }
    this.display!.show(event);
  };

  readonly end = (): void => this.display?.end();
}

/** Where the models are kept. */
const FILES: Readonly<Record<ComparedModel['kind'], string>> = { 'n-gram': 'n-gram.bin', network: 'nplm.gguf', transformer: 'llama.gguf' };
const keptFiles = (folder: string | undefined): string[] => (folder === undefined ? [] : Object.values(FILES).map((name) => join(folder, name)));

/** The models as files. */
async function keep(folder: string, { models }: Comparison): Promise<string[]> {
  const files: string[] = [];
  for (const model of models) {
    const path = join(folder, FILES[model.kind]);
    await host.save(path, [await model.bytes()]);
    files.push(path);
  }
  return files;
}

const NAMES: Readonly<Record<ComparedModel['kind'], string>> = { 'n-gram': 'n-gram model', network: 'feed-forward network', transformer: 'transformer' };
const UNITS = ['', 'K', 'M', 'G', 'T', 'P'] as const;

/** `1.2 TFLOP` */
export function flops(value: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${(value / 1000 ** power).toPrecision(3)} ${UNITS[power]}FLOP`;
}

function report({ models, trainingTokens, validationTokens, vocabulary }: Comparison, files: readonly string[]): string {
  const head = ['', 'kind', 'parameters', 'time', 'tokens seen', 'operations', 'perplexity', 'bits per byte'];
  const rows = models.map((model) => [
    NAMES[model.kind], model.title, count(model.parameters), model.seconds < 10 ? `${model.seconds.toFixed(1)} s` : duration(model.seconds), count(model.tokens), flops(model.flops),
    model.validation.perplexity.toFixed(2), model.validation.bitsPerByte.toFixed(3),
  ]);
  const layers = models.map((model) => `${NAMES[model.kind]}, ${several(model.parameters, 'parameter')}:\n${indent(printableTable(model.layers.map(([name, kind, formula, size]) => [name, kind, formula, count(size)]), [3], 2))}`);
  const samples = models.map((model) => `${NAMES[model.kind]} writes:\n${indent(model.sample.trim() || '(nothing)')}`);
  return [
    `${several(trainingTokens, 'token')} to learn from, ${count(validationTokens)} kept back, one vocabulary of ${count(vocabulary)}`,
    printableTable([head, ...rows], [2, 3, 4, 5, 6, 7]), ...layers, ...samples, ...(files.length ? [files.join(', ')] : []),
  ].join('\n\n');
}

const indent = (text: string): string => text.replaceAll(/^/gm, '  ');
