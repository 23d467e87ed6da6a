import { StonechatError } from '../../errors.js';
import { StringList } from '../../files/strings.js';
import type { MetadataArray, MetadataValue, ModelFile, TensorInfo } from '../../files/types.js';
import type { Estimate } from '../../generate/types.js';
import { countLayers, isTied, layerRows } from '../../models/parameters.js';
import { tokenizerFromModel } from '../../text/index.js';
import type { Arguments } from './arguments.js';
import { bytes, count, json, several } from './format.js';
import { estimateOf, host, modelOf, type NamedModel, openFile } from './loading.js';
import { printableTable, printLine } from './terminal.js';
import { usage } from './usage.js';

const ITEMS_SHOWN = 6;
const TEXT_SHOWN = 80;
/** Columns before the tables. */
const INDENT = 2;

interface Parameters {
  total: number;
  /** By part of the model: embedding, each layer, the head. */
  parts: Record<string, number>;
  types: Record<string, number>;
}

/** What is in a model file; weights are not read. */
export async function inspect(args: Arguments): Promise<number> {
  if (args.positionals.length > 1) throw usage('one model', args.positionals.join(' '), 'Inspect them one by one.');
  const source = args.positionals[0] ?? (await modelOf(args));
  const file = await openFile(source);
  try {
    const parameters = countParameters([...file.tensors.values()]);
    const facts = { tokenizer: await tokenizerFacts(file), memory: await memoryOf(args, source, file) };
    const full = args.has('full');
    await printLine(args.has('json') ? json({ ...headOf(file), parameters: { ...parameters, tiedOutput: isTied(file.tensors), layers: countLayers(file.tensors) }, ...facts, ...contentsOf(file, full) }, 2) : report(file, parameters, facts, full));
  } finally {
    await file.close();
  }
  return 0;
}

const headOf = ({ name, format, fileBytes, metadata }: ModelFile) => ({ name, format, architecture: metadata.get('general.architecture'), fileBytes });

const contentsOf = (file: ModelFile, full: boolean) => ({
  metadata: Object.fromEntries([...file.metadata].map(([key, value]) => [key, isArray(value) && !full ? shortened(value) : value])),
  tensors: [...file.tensors.values()].map(({ name, type, shape, bytes: size }) => ({ name, type, shape, bytes: size })),
});

const isArray = (value: MetadataValue): value is MetadataArray => typeof value === 'object';
const shortened = (value: MetadataArray) => (value.length <= ITEMS_SHOWN ? value : { length: value.length, first: itemsOf(value, ITEMS_SHOWN) });

function itemsOf(values: MetadataArray, most: number): MetadataValue[] {
  const length = Math.min(values.length, most);
  return Array.from({ length }, (_, i) => (values instanceof StringList ? values.at(i)! : values[i]!));
}

const partOf = (name: string): string => /^blk\.(\d+)\./.exec(name)?.[1] ?? (/^(token|position|token_types?)_embd/.test(name) ? 'embedding' : 'head');

/** Parameters in all, by part and by type. */
export function countParameters(tensors: readonly TensorInfo[]): Parameters {
  const parameters: Parameters = { total: 0, parts: {}, types: {} };
  for (const { name, type, shape } of tensors) {
    const size = shape.reduce((a, b) => a * b, 1);
    const part = partOf(name);
    const label = /^\d/.test(part) ? `layer ${part}` : part;
    parameters.total += size;
    parameters.parts[label] = (parameters.parts[label] ?? 0) + size;
    parameters.types[type] = (parameters.types[type] ?? 0) + size;
  }
  return parameters;
}

interface TokenizerFacts {
  kind: string;
  size: number;
  bos: number | undefined;
  eos: number | undefined;
  stopIds: number[];
  chatTemplate: boolean;
}

/** Errors become remarks: a file is worth looking at even if it cannot run. */
async function orRemark<T>(work: () => Promise<T>): Promise<T | { unavailable: string }> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StonechatError) return { unavailable: error.message };
    throw error;
  }
}

const tokenizerFacts = (file: ModelFile) =>
  orRemark<TokenizerFacts>(async () => {
    const { kind, size, bos, eos, stopIds, chatTemplate } = await tokenizerFromModel(file, { build: 'simd', module: await host.compile('simd', false) });
    return { kind, size, bos, eos, stopIds: [...stopIds], chatTemplate: chatTemplate !== undefined };
  });

const memoryOf = async (args: Arguments, source: NamedModel, file: ModelFile): Promise<Estimate | { unavailable: string }> =>
  file.tensors.size === 0 ? { unavailable: 'The file holds a vocabulary without weights.' } : orRemark(() => estimateOf(args, source));

function show(value: MetadataValue, full: boolean): string {
  if (typeof value === 'string') return value.length > TEXT_SHOWN && !full ? `${JSON.stringify(value.slice(0, TEXT_SHOWN))}… (${several(value.length, 'character')})` : JSON.stringify(value);
  if (!isArray(value)) return String(value);
  const shown = itemsOf(value, full ? Infinity : ITEMS_SHOWN).map((item) => show(item, full));
  return `[${shown.join(', ')}${shown.length < value.length ? `, … ${count(value.length)} in all` : ''}]`;
}

interface Facts {
  readonly tokenizer: TokenizerFacts | { unavailable: string };
  readonly memory: Estimate | { unavailable: string };
}

function report(file: ModelFile, parameters: Parameters, { tokenizer, memory }: Facts, full: boolean): string {
  const { name, format, architecture, fileBytes } = headOf(file);
  const sections = [
    `${name}: ${format}, architecture ${String(architecture)}, ${bytes(fileBytes)}, ${several(parameters.total, 'parameter')}`,
    section('Metadata', printableTable([...file.metadata].map(([key, value]) => [key, show(value, full)]), [], INDENT)),
    section('Tensors', tensorTable([...file.tensors.values()])),
    section('Parameters', parameterTable(file, parameters)),
    section('Tokenizer', describeTokenizer(tokenizer)),
    section('Memory', describeMemory(memory)),
    section('Notes', ('warnings' in memory ? memory.warnings : (file.warnings ?? [])).join('\n')),
  ];
  return sections.filter((text) => text !== '').join('\n\n');
}

const section = (title: string, text: string): string => (text === '' ? '' : `${title}\n${text.replaceAll(/^/gm, '  ')}`);

const tensorTable = (tensors: readonly TensorInfo[]): string => printableTable(tensors.map(({ name, type, shape, bytes: size }) => [name, type, shape.join(' x '), bytes(size)]), [3], INDENT);

/** Layer by layer: inputs x outputs + outputs; blocks that are alike share their lines. */
function parameterTable(file: ModelFile, { total, types }: Parameters): string {
  if (total === 0) return '';
  const rows = layerRows(file.tensors).map(([name, kind, formula, parameters]) => [name, kind, formula, count(parameters)]);
  const byType = Object.entries(types).map(([type, size]) => [`in ${type}`, '', '', count(size)]);
  return printableTable([...rows, ...byType, ['total', '', '', count(total)]], [3], INDENT);
}

function describeTokenizer(facts: Facts['tokenizer']): string {
  if ('unavailable' in facts) return facts.unavailable;
  const { kind, size, bos, eos, stopIds, chatTemplate } = facts;
  return `${kind}, ${count(size)} tokens; BOS ${bos ?? 'none'}, EOS ${eos ?? 'none'}, ends at ${stopIds.join(', ') || 'nothing'}; ${chatTemplate ? 'with' : 'no'} chat template`;
}

function describeMemory(memory: Facts['memory']): string {
  if ('unavailable' in memory) return memory.unavailable;
  const { weights, kvCacheBytes, scratch, total, fits } = memory;
  return `weights ${bytes(weights)}, KV cache ${bytes(kvCacheBytes)}, scratch ${bytes(scratch)}: ${bytes(total)} in all${fits ? '' : ', which does not fit'}`;
}
