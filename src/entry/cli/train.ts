import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { StonechatError } from '../../errors.js';
import { lossSvg, reportHtml } from '../../train/report/report.js';
import type { TrainResult } from '../../train/pretraining/result.js';
import { createTrainer, type ModelConfig, type TrainOptions } from '../train.js';
import type { Arguments } from './arguments.js';
import { warn } from './convert.js';
import { bytes, count, duration, json, several } from './format.js';
import { host } from './loading.js';
import { parseJson } from './json.js';
import { documentsOf, readTextFile } from './texts.js';
import { learning, numbersOf, placesOf } from './learning.js';
import { TRAINING_NUMBERS } from './options.js';
import { printLine } from './terminal.js';
import { saveText } from './writing.js';

const { train: trainModel } = createTrainer(host);

/** Corpus files to a GGUF model, with a report beside it. */
export async function train(args: Arguments): Promise<number> {
  const { output, checkpoint, resume } = await placesOf(args, 'a text', 'stonechat train corpus.txt -o model.gguf', (path) => reportFiles(args, path));
  const options = { ...(await trainOptions(args)), output, checkpoint, resume };
  const corpus = documentsOf(args.positionals, options.separator);
  return learning(
    args, checkpoint,
    (signal, display) => trainModel(corpus, { ...options, signal, onEvent: display.show }),
    (result, seconds) => conclude(args, result, output, seconds),
  );
}

async function trainOptions(args: Arguments): Promise<TrainOptions> {
  const config = await configOf(args.text('config'));
  const validation = args.texts('validation');
  const separator = args.escaped('separator');
  return {
    ...(numbersOf(args, TRAINING_NUMBERS) as TrainOptions),
    config,
    validation: validation.length > 0 ? documentsOf(validation, separator) : undefined,
    tokenizer: args.text('tokenizer'),
    force: args.has('force') || undefined,
    samplePrompt: args.text('sample-prompt'),
    separator,
    keepWeights: args.text('keep-weights') as TrainOptions['keepWeights'],
    name: args.text('name'),
    build: args.text('build') as TrainOptions['build'],
    fusedMultiplyAdd: args.has('fused-multiply-add') || undefined,
  };
}

async function configOf(path: string | undefined): Promise<Partial<ModelConfig> | undefined> {
  if (path === undefined) return undefined;
  const text = await readTextFile(path);
  const refuse = (found: string) =>
    new StonechatError({ code: 'bad-file', expected: `a model configuration, { "layers": 4, "embedding": 128 } for instance, in ${path}`, found, remedy: 'See docs/training.md for what may stand in it.' });
  const config = parseJson(text, `the model configuration ${path}`, 'See docs/training.md for what may stand in it.');
  if (typeof config === 'object' && config !== null && !Array.isArray(config)) return config;
  throw refuse('another kind of JSON');
}

/** The page and the picture beside the model. */
function reportFiles(args: Arguments, output: string): readonly string[] {
  const base = output.replace(/\.gguf$/, '');
  return args.has('no-report') ? [] : [`${base}.html`, `${base}.loss.svg`];
}

/** The pictures beside the model, and the last words. */
async function conclude(args: Arguments, result: TrainResult, output: string, seconds: number): Promise<void> {
  const { validation, step, parameters, tokens, history, lost } = result;
  const [page, picture] = reportFiles(args, output);
  const written = [output, ...(page && picture ? [page, picture] : [])];
  if (picture) await saveText(picture, lossSvg(history));
  if (page) await saveText(page, reportHtml(result, [['time of this run', duration(seconds)]]));
  const { size } = await stat(output);
  if (args.has('json')) return printLine(json({ kind: 'done', files: written, fileBytes: size, parameters, tokens, step, validation, lost, seconds }));
  const judged = validation ? `validation perplexity ${validation.perplexity.toFixed(2)}, ${validation.bitsPerByte.toFixed(3)} bits per byte` : 'not validated';
  await printLine(`${written.join(', ')}: ${bytes(size)}, ${several(parameters, 'parameter')}, weights of step ${count(step)}, ${judged}; ${count(tokens)} tokens in ${duration(seconds)}`);
  if (lost.length > 0) warn(args, `lost: ${lost.join('; ')}`);
  const folder = dirname(output);
  await printLine(`Try it: stonechat -m ${folder === '.' ? basename(output) : output} "…"`);
}
