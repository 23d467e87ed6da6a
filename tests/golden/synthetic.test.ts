import { describe, expect, it } from 'vitest';
import type { MetadataValue, ModelFile, TensorInfo } from '../../src/files/types.js';
import { nodeHost } from '../../src/host/node.js';
import { loadRunner } from '../../src/run/load.js';
import { ordinary } from '../run/support.js';
import { hasData, readJson, titled } from './data.js';
import { evaluate } from '../../src/run/types.js';

interface Config {
  dim: number;
  hidden_dim: number;
  n_layers: number;
  n_heads: number;
  n_kv_heads: number;
  vocab_size: number;
  seq_len: number;
}
interface SyntheticModel {
  name: string;
  config: Config;
  first4: Record<string, number[]>;
  ids: number[];
  top5: [number, number][];
  logits_0_4: number[];
  logit_rms: number;
}

/** One stacked tensor of the recipe: all layers of a kind share one run of flat indices. */
interface Kind {
  name: string;
  columns: number;
  rows: number;
  base: number;
  scale: number;
  layered: boolean;
}

function kinds({ dim, hidden_dim, n_heads, n_kv_heads, vocab_size }: Config): Kind[] {
  const kv = (dim / n_heads) * n_kv_heads;
  const row = (name: string, columns: number, rows: number, scale: number, base = 0, layered = true): Kind => ({ name, columns, rows, base, scale, layered });
  return [
    row('token_embd', dim, vocab_size, 0.5, 0, false),
    row('attn_norm', dim, 1, 0.1, 1),
    row('attn_q', dim, dim, 2 / Math.sqrt(dim)),
    row('attn_k', dim, kv, 2 / Math.sqrt(dim)),
    row('attn_v', dim, kv, 2 / Math.sqrt(dim)),
    row('attn_output', dim, dim, 1 / Math.sqrt(dim)),
    row('ffn_norm', dim, 1, 0.1, 1),
    row('ffn_gate', dim, hidden_dim, 2 / Math.sqrt(dim)),
    row('ffn_down', hidden_dim, dim, 1 / Math.sqrt(hidden_dim)),
    row('ffn_up', dim, hidden_dim, 2 / Math.sqrt(dim)),
    row('output_norm', dim, 1, 0.1, 1, false),
  ];
}

/** The recipe's hash: element `i` of tensor number `t`. */
function fill(out: Float32Array, t: number, first: number, { base, scale }: Kind): void {
  for (let i = 0; i < out.length; i++) {
    let x = (first + i + Math.imul(0x9e3779b9, t + 1)) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    x ^= x >>> 16;
    out[i] = base + ((x >>> 8) / 8388608 - 1) * scale;
  }
}

/** Tensors are made as they are read: no bytes on disk. */
function syntheticFile(name: string, config: Config): ModelFile {
  const sources = new Map<string, { t: number; first: number; kind: Kind }>();
  const tensors = new Map<string, TensorInfo>();
  kinds(config).forEach((kind, t) => {
    const size = kind.columns * kind.rows;
    for (let layer = 0; layer < (kind.layered ? config.n_layers : 1); layer++) {
      const tensor = `${kind.layered ? `blk.${layer}.` : ''}${kind.name}.weight`;
      sources.set(tensor, { t, first: layer * size, kind });
      tensors.set(tensor, { name: tensor, type: 'f32', shape: kind.rows > 1 ? [kind.columns, kind.rows] : [kind.columns], bytes: size * 4 });
    }
  });
  const metadata = new Map<string, MetadataValue>(
    Object.entries({
      'general.architecture': 'llama',
      'llama.context_length': config.seq_len,
      'llama.embedding_length': config.dim,
      'llama.block_count': config.n_layers,
      'llama.feed_forward_length': config.hidden_dim,
      'llama.attention.head_count': config.n_heads,
      'llama.attention.head_count_kv': config.n_kv_heads,
      'llama.attention.layer_norm_rms_epsilon': 1e-5,
    }),
  );
  const read = async (tensor: TensorInfo, offset: number, into: Uint8Array) => {
    const { t, first, kind } = sources.get(tensor.name)!;
    const values = new Float32Array(into.length / 4);
    fill(values, t, first + offset / 4, kind);
    into.set(new Uint8Array(values.buffer));
  };
  const fileBytes = [...tensors.values()].reduce((sum, tensor) => sum + tensor.bytes, 0);
  return { format: 'gguf', name, fileBytes, metadata, tensors, read, sibling: async () => undefined, close: async () => {} };
}

const FIRST4: Record<string, string> = { emb: 'token_embd.weight', rA: 'blk.0.attn_norm.weight', wq: 'blk.0.attn_q.weight', w2: 'blk.0.ffn_down.weight', rO: 'output_norm.weight' };
/** As the golden file states: float64 logits, random weights, up to 110 M of them. */
const TOLERANCE = 2e-3;
const models = hasData ? readJson<{ models: SyntheticModel[] }>('golden/synthetic-models.json').models : [];

describe.skipIf(!hasData)(titled('synthetic models in real shapes'), () => {
  it.each(models.map((m) => [m.name, m] as const))('%s', { timeout: 120_000 }, async (name, model) => {
    const file = syntheticFile(name, model.config);
    for (const [key, tensor] of Object.entries(FIRST4)) {
      const bytes = new Uint8Array(16);
      await file.read(file.tensors.get(tensor)!, 0, bytes);
      expect([...new Float32Array(bytes.buffer)]).toEqual(model.first4[key]);
    }
    const { runner } = await loadRunner(nodeHost(), file, { ...ordinary, contextLength: 64 });
    evaluate(runner, runner.newSequence(), model.ids);
    const logits = runner.logits();
    for (const [id, value] of model.top5) expect(Math.abs(logits[id]! - value)).toBeLessThan(TOLERANCE);
    model.logits_0_4.forEach((value, id) => expect(Math.abs(logits[id]! - value)).toBeLessThan(TOLERANCE));
    expect(Math.sqrt(logits.reduce((sum, x) => sum + x * x, 0) / logits.length)).toBeCloseTo(model.logit_rms, 3);
    runner.dispose();
  });
});
