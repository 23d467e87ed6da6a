import type { TensorInfo } from '../files/types.js';

/** What a layer does with its input: look up a row, multiply (inputs x outputs, plus outputs for the bias), or scale each number. */
export type LayerKind = 'embedding' | 'linear' | 'norm' | 'other';

/** One weight and its bias. */
export interface LayerCount {
  /** GGUF name without `.weight`: `blk.0.attn_q`. */
  readonly name: string;
  readonly kind: LayerKind;
  /** Of an embedding: ids; of a norm: 1. */
  readonly inputs: number;
  readonly outputs: number;
  /** Numbers of the bias, 0 without. */
  readonly bias: number;
  readonly parameters: number;
  readonly type: string;
}

const size = ({ shape }: TensorInfo): number => shape.reduce((a, b) => a * b, 1);

/** As a token passes them. */
const ORDER = ['attn_norm', 'attn_qkv', 'attn_q', 'attn_k', 'attn_v', 'attn_q_norm', 'attn_k_norm', 'attn_output', 'ffn_norm', 'ffn_gate', 'ffn_up', 'ffn_down'];

/** Embeddings, blocks, then what follows them. */
function rankOf(name: string): number {
  const block = blockOf(name);
  if (block === undefined) return /_embd\b/.test(name) ? 0 : Infinity;
  const place = ORDER.indexOf(within(name));
  return 1 + block + (place < 0 ? ORDER.length : place) / (ORDER.length + 1);
}

/** The parameters of a model layer by layer, in the order that a token passes them. */
export function countLayers(tensors: ReadonlyMap<string, TensorInfo>): LayerCount[] {
  const weights = [...tensors.values()].filter(({ name }) => !name.endsWith('.bias') || !tensors.has(name.replace(/bias$/, 'weight')));
  const counts = weights.map((tensor) => countOne(tensor, tensors.get(tensor.name.replace(/weight$/, 'bias'))));
  const rank = new Map(counts.map(({ name }) => [name, rankOf(name)]));
  return counts.sort((a, b) => (rank.get(a.name) === rank.get(b.name) ? 0 : rank.get(a.name)! - rank.get(b.name)!));
}

function countOne(tensor: TensorInfo, found: TensorInfo | undefined): LayerCount {
  const bias = found && found !== tensor ? size(found) : 0;
  const name = tensor.name.replace(/\.weight$/, '');
  const [columns = 1, ...rest] = tensor.shape.length > 1 && tensor.shape.at(-1) === 1 ? tensor.shape.slice(0, -1) : tensor.shape;
  const common = { name, bias, parameters: size(tensor) + bias, type: tensor.type };
  if (rest.length === 0) return { ...common, kind: /norm/.test(name) ? 'norm' : 'other', inputs: 1, outputs: columns };
  const rows = rest.reduce((a, b) => a * b, 1);
  return /_embd$|_embd_|token_types/.test(name) ? { ...common, kind: 'embedding', inputs: rows, outputs: columns } : { ...common, kind: 'linear', inputs: columns, outputs: rows };
}

/** The output layer is the token embedding: no parameters of its own. */
export const isTied = (tensors: ReadonlyMap<string, TensorInfo>): boolean => tensors.has('token_embd.weight') && !tensors.has('output.weight');

/** `64 x 172 + 172`; a norm's `64`. */
export function formulaOf({ kind, inputs, outputs, bias }: LayerCount): string {
  const numbers = (value: number) => value.toLocaleString('en-US');
  const own = kind === 'linear' || kind === 'embedding' ? `${numbers(inputs)} x ${numbers(outputs)}` : numbers(outputs);
  return bias ? `${own} + ${numbers(bias)}` : own;
}

/** Layers that hold the same: blocks first … last of a model, or one layer that stands alone (`last` undefined). */
export interface LayerGroup {
  readonly first: number | undefined;
  readonly last: number | undefined;
  readonly layers: readonly LayerCount[];
  /** Of one block. */
  readonly parameters: number;
}

const blockOf = (name: string): number | undefined => {
  const [, block] = /^blk\.(\d+)\./.exec(name) ?? [];
  return block === undefined ? undefined : Number(block);
};
const within = (name: string): string => name.replace(/^blk\.\d+\./, '');

/** Neighbouring blocks of the same layers are told once. */
export function groupLayers(layers: readonly LayerCount[]): LayerGroup[] {
  const groups: LayerGroup[] = [];
  const alike = (a: LayerGroup, b: LayerGroup) =>
    a.layers.length === b.layers.length && a.layers.every((layer, i) => formulaOf(layer) === formulaOf(b.layers[i]!) && within(layer.name) === within(b.layers[i]!.name));
  for (const group of blocksOf(layers)) {
    const before = groups.at(-1);
    if (before?.last !== undefined && group.first === before.last + 1 && alike(before, group)) groups[groups.length - 1] = { ...before, last: group.first };
    else groups.push(group);
  }
  return groups;
}

function blocksOf(layers: readonly LayerCount[]): LayerGroup[] {
  const blocks: LayerGroup[] = [];
  for (const layer of layers) {
    const number = blockOf(layer.name);
    const before = blocks.at(-1);
    if (number === undefined || before?.first !== number) blocks.push({ first: number, last: number, layers: [layer], parameters: layer.parameters });
    else blocks[blocks.length - 1] = { ...before, layers: [...before.layers, layer], parameters: before.parameters + layer.parameters };
  }
  return blocks;
}

/** Name (indented within a block), kind, inputs x outputs + outputs, parameters. */
export type LayerRow = [name: string, kind: string, formula: string, parameters: number];

/** The rows of a table of all layers. */
export function layerRows(tensors: ReadonlyMap<string, TensorInfo>): LayerRow[] {
  const rows = groupLayers(countLayers(tensors)).flatMap(groupRows);
  return isTied(tensors) ? rows.concat([['output', 'linear', 'the weights of token_embd', 0]]) : rows;
}

function groupRows({ first, last, layers, parameters }: LayerGroup): LayerRow[] {
  const indent = first === undefined ? '' : '  ';
  const own = layers.map((layer): LayerRow => [indent + within(layer.name), layer.kind, formulaOf(layer), layer.parameters]);
  if (first === undefined) return own;
  return [[first === last ? `block ${first}` : `blocks ${first} to ${last}, each`, '', '', parameters] as LayerRow].concat(own);
}
