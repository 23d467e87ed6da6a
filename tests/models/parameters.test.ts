import { describe, expect, it } from 'vitest';
import type { TensorInfo } from '../../src/files/types.js';
import { countLayers, isTied, layerRows } from '../../src/models/parameters.js';
import { tinyModel, tinyNplm } from './tiny.js';

const gpt2 = tinyModel({ architecture: 'gpt2', embedding: 8, layers: 3, heads: 2, kvHeads: 2, feedForward: 12, vocabulary: 20, context: 16, tied: true });
const total = (tensors: ReadonlyMap<string, TensorInfo>) => [...tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

describe('layers of a model', () => {
  it('count inputs x outputs + outputs, embeddings and norms, and leave nothing out', () => {
    const layers = countLayers(gpt2.tensors);
    expect(layers.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(total(gpt2.tensors));
    expect(layers.map(({ name }) => name).slice(0, 4)).toEqual(['token_embd', 'position_embd', 'blk.0.attn_norm', 'blk.0.attn_qkv']);
    expect(layers.at(-1)).toEqual({ name: 'output_norm', kind: 'norm', inputs: 1, outputs: 8, bias: 8, parameters: 16, type: 'f32' });
    expect(layers.find(({ name }) => name === 'blk.1.ffn_up')).toEqual({ name: 'blk.1.ffn_up', kind: 'linear', inputs: 8, outputs: 12, bias: 12, parameters: 8 * 12 + 12, type: 'f32' });
  });

  it('tell blocks that are alike once, and a tied output', () => {
    expect(isTied(gpt2.tensors)).toBe(true);
    expect(layerRows(gpt2.tensors)).toEqual([
      ['token_embd', 'embedding', '20 x 8', 160],
      ['position_embd', 'embedding', '16 x 8', 128],
      ['blocks 0 to 2, each', '', '', 16 + 216 + 72 + 16 + 108 + 104],
      ['  attn_norm', 'norm', '8 + 8', 16],
      ['  attn_qkv', 'linear', '8 x 24 + 24', 216],
      ['  attn_output', 'linear', '8 x 8 + 8', 72],
      ['  ffn_norm', 'norm', '8 + 8', 16],
      ['  ffn_up', 'linear', '8 x 12 + 12', 108],
      ['  ffn_down', 'linear', '12 x 8 + 8', 104],
      ['output_norm', 'norm', '8 + 8', 16],
      ['output', 'linear', 'the weights of token_embd', 0],
    ]);
  });

  it('of another size stand apart, whatever order the file has', () => {
    const tensors = new Map([...gpt2.tensors].reverse());
    tensors.set('blk.1.ffn_up.weight', { ...tensors.get('blk.1.ffn_up.weight')!, shape: [8, 13] });
    expect(layerRows(tensors).map(([name]) => name).filter((name) => name.startsWith('block'))).toEqual(['block 0', 'block 1', 'block 2']);
  });

  it('of a feed-forward network', () => {
    const { tensors } = tinyNplm({ embedding: 8, window: 3, feedForward: 5, vocabulary: 20, padding: 0 });
    expect(layerRows(tensors)).toEqual([['token_embd', 'embedding', '20 x 8', 160], ['block 0', '', '', 125], ['  ffn_up', 'linear', '24 x 5 + 5', 125], ['output', 'linear', '5 x 20 + 20', 120]]);
  });
});
