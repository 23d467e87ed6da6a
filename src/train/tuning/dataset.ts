import { Fingerprint } from '../data/fingerprint.js';
import { badOption } from '../../files/refuse.js';
import type { ModelFile } from '../../files/types.js';
import { templateSource } from '../../text/chat.js';
import type { Tokenizer } from '../../text/types.js';
import { INSTRUCTION_TEMPLATE, type PreferenceExample, type Script, ScriptWriter, type TuningExample } from '../data/examples.js';
import { sequencesOf } from '../data/packing.js';
import { cutDocument, type TokenizedExample, tokenizeExample, rowsOf, spelledIn } from '../data/tokenized.js';
import type { ExamplePair } from './preference.js';
import { mix, permutation } from '../data/random.js';
import { longestIn, settleTuning, type TuningOptions, type TuningSettings } from './settings.js';

/** Where examples come from. */
export type TuningExamples = Iterable<TuningExample | PreferenceExample> | AsyncIterable<TuningExample | PreferenceExample>;

/** Tokenized examples, or with preferences pairs of them. */
export type DatasetItem = TokenizedExample | ExamplePair;

export interface TuningDataset {
  readonly training: readonly DatasetItem[];
  readonly validation: readonly DatasetItem[];
  readonly settings: TuningSettings;
  /** Examples longer than a sequence that were left out, and that were cut. */
  readonly skipped: number;
  readonly cut: number;
  /** Tokens of the longest example that is taken whole. */
  readonly longest: number;
  /** A chat template that the model does not have, but the tuned one needs. */
  readonly template: string | undefined;
  /** What the caller should know of the examples. */
  readonly warnings: readonly string[];
}

const places = new WeakMap<object, string>();

/** An example of a file, as errors should name it: `line 5 of b.jsonl`. */
export function placed<T>(example: T, place: string): T {
  if (typeof example === 'object' && example !== null) places.set(example, place);
  return example;
}
const placeOf = (example: unknown): string | undefined => (typeof example === 'object' && example !== null ? places.get(example) : undefined);

export const isPair = (item: DatasetItem): item is ExamplePair => 'chosen' in item;
const longestOf = (item: DatasetItem): number => (isPair(item) ? Math.max(rowsOf(item.chosen), rowsOf(item.rejected)) : rowsOf(item));
const rowsOfItem = (item: DatasetItem): number => (isPair(item) ? rowsOf(item.chosen) + rowsOf(item.rejected) : rowsOf(item));

/** Example `i`, and the parts that a long text makes. */
interface Read {
  readonly items: readonly DatasetItem[];
  readonly fate: 'whole' | 'cut' | 'skipped';
}

export const VALIDATION_SHARE = 0.1;

/** Examples to ids, options to settings. @throws StonechatError `bad-option` naming the example. */
export async function prepareTuningDataset(file: ModelFile, tokenizer: Tokenizer, examples: TuningExamples, given: TuningExamples | undefined, options: TuningOptions): Promise<TuningDataset> {
  const template = templateSource(options.chatTemplate ?? tokenizer.chatTemplate ?? INSTRUCTION_TEMPLATE);
  const writer = new ScriptWriter(tokenizer, template, options.contents, options.templateLimits);
  const reader = new Reader(writer, tokenizer, longestIn(file, options), options);
  const read = await reader.all(examples, 'example');
  const own = given && (await reader.all(given, 'validation example'));
  const [training, validation] = own ? [read, own] : split(read, options);
  const items = training.flatMap((part) => part.items);
  if (items.length === 0) throw badOption('examples to learn from', read.length ? `${read.length}, all longer than ${longestIn(file, options)} tokens` : 'none', read.length ? 'Shorten them, allow a longer context, or cut them (longExamples: "cut").' : 'Check the file.');
  const back = validation.flatMap((part) => part.items);
  const sum = (all: readonly DatasetItem[]) => all.reduce((rows, item) => rows + rowsOfItem(item), 0);
  const rows = { longest: Math.max(...[...items, ...back].map(longestOf)), training: sum(items), validation: sum(back) };
  const settings = settleTuning(file, options, rows, (rows) => (options.dpo ? items.length : sequencesOf(items as TokenizedExample[], rows)));
  const fates = [...read, ...(own ?? [])].map(({ fate }) => fate);
  const count = (fate: Read['fate']) => fates.filter((one) => one === fate).length;
  return { training: items, validation: back, settings, skipped: count('skipped'), cut: count('cut'), longest: longestIn(file, options), template: writer.usesTemplate && template !== tokenizer.chatTemplate ? template : undefined, warnings: reader.warnings };
}

function split(read: readonly Read[], { validationShare = VALIDATION_SHARE, seed = 0 }: TuningOptions): [Read[], Read[]] {
  const kept = validationShare > 0 && read.length > 1 ? Math.max(1, Math.min(read.length - 1, Math.round(read.length * validationShare))) : 0;
  const back = new Set(permutation(read.length, mix(seed, 0x76616c)).subarray(0, kept));
  return [read.filter((_, i) => !back.has(i)), read.filter((_, i) => back.has(i))];
}

class Reader {
  private spelt = 0;
  private firstSpelt = '';

  constructor(
    private readonly writer: ScriptWriter,
    private readonly tokenizer: Tokenizer,
    private readonly longest: number,
    private readonly options: TuningOptions,
  ) {}

  async all(examples: TuningExamples, what: string): Promise<Read[]> {
    const read: Read[] = [];
    for await (const example of examples) {
      const where = placeOf(example) ?? `${what} ${read.length + 1}`;
      read.push(await (this.options.dpo ? this.pair(example, where) : this.one(example, where)));
    }
    return read;
  }

  /** Templated texts spell their markers: as letters they teach nothing of the tokens. */
  get warnings(): string[] {
    return this.spelt ? [`${this.firstSpelt} as text${this.spelt > 1 ? `, and so do ${this.spelt - 1} more` : ''}: parseSpecial (--parse-special) takes it as the token`] : [];
  }

  private tokenize(script: Script, where: string): TokenizedExample {
    const parse = this.options.parseSpecial;
    const spelled = script.kind === 'chat' || parse ? undefined : spelledIn(script.pieces.map(({ text }) => text).join(''), this.tokenizer);
    if (spelled !== undefined && ++this.spelt === 1) this.firstSpelt = `${where} spells the special token ${spelled}`;
    return tokenizeExample(script, this.tokenizer, parse);
  }

  private async one(given: unknown, where: string): Promise<Read> {
    const script = await this.writer.example(given, where);
    const example = this.tokenize(script, where);
    if (rowsOf(example) < 1) throw badOption('an example with text', `none in ${where}`, 'Remove it.');
    if (script.kind === 'document') return { items: cutDocument(example, this.longest), fate: 'whole' };
    return this.fit(example, rowsOf(example), () => cutEnd(example, this.longest));
  }

  private async pair(example: unknown, where: string): Promise<Read> {
    const { chosen, rejected } = await this.writer.preference(example, where);
    const pair = { chosen: this.tokenize(chosen, where), rejected: this.tokenize(rejected, where) };
    const cut = () => {
      const parts = { chosen: cutEnd(pair.chosen, this.longest), rejected: cutEnd(pair.rejected, this.longest) };
      return parts.chosen && parts.rejected ? { chosen: parts.chosen, rejected: parts.rejected } : undefined;
    };
    return this.fit(pair, longestOf(pair), cut);
  }

  private fit(item: DatasetItem, rows: number, cut: () => DatasetItem | undefined): Read {
    if (rows <= this.longest) return { items: [item], fate: 'whole' };
    const shorter = this.options.longExamples === 'cut' ? cut() : undefined;
    return shorter ? { items: [shorter], fate: 'cut' } : { items: [], fate: 'skipped' };
  }
}

/** Its first rows; undefined where nothing to be learnt is among them. */
function cutEnd({ ids, lossMask }: TokenizedExample, rows: number): TokenizedExample | undefined {
  const part = { ids: ids.subarray(0, rows + 1), lossMask: lossMask.subarray(0, rows + 1) };
  return part.lossMask.includes(1) ? part : undefined;
}

/** Of ids and what is learnt of them. */
export function fingerprintOf(items: readonly DatasetItem[]): number {
  const print = new Fingerprint();
  const examples = items.flatMap((item) => (isPair(item) ? [item.chosen, item.rejected] : [item]));
  for (const { ids, lossMask } of examples) for (let i = 0; i < ids.length; i++) print.take(ids[i]! * 2 + lossMask[i]!);
  return print.value;
}
