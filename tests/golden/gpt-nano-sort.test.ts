import { describe, expect, it } from 'vitest';
import type { MetadataValue } from '../../src/files/types.js';
import { nodeHost } from '../../src/host/node.js';
import { loadRunner } from '../../src/run/load.js';
import { memoryFile } from '../models/tiny.js';
import type { ReferenceTensor } from '../reference/transformer.js';
import { largestDifference, ordinary } from '../run/support.js';
import { hasData, readJson, titled } from './data.js';
import { evaluate } from '../../src/run/types.js';

interface Stored {
  shape: number[];
  data: string;
}
const numbers = ({ data }: Stored) => {
  const bytes = Uint8Array.from(Buffer.from(data, 'base64'));
  return new Float32Array(bytes.buffer);
};

/** minGPT's names (its linear layers store [out, in], as GGUF does) to GGUF's. */
const NAMES: [RegExp, string][] = [
  [/^transformer\.wte/, 'token_embd'],
  [/^transformer\.wpe/, 'position_embd'],
  [/^transformer\.ln_f/, 'output_norm'],
  [/^lm_head/, 'output'],
  [/^transformer\.h\.(\d+)\.ln_1/, 'blk.$1.attn_norm'],
  [/^transformer\.h\.(\d+)\.ln_2/, 'blk.$1.ffn_norm'],
  [/^transformer\.h\.(\d+)\.attn\.c_attn/, 'blk.$1.attn_qkv'],
  [/^transformer\.h\.(\d+)\.attn\.c_proj/, 'blk.$1.attn_output'],
  [/^transformer\.h\.(\d+)\.mlp\.c_fc/, 'blk.$1.ffn_up'],
  [/^transformer\.h\.(\d+)\.mlp\.c_proj/, 'blk.$1.ffn_down'],
];

function sortModel() {
  const { config, ...stored } = readJson<Record<string, Stored>>('models/gpt-nano-sort/model.json');
  const sizes = config as unknown as { n_layer: number; n_head: number; n_embd: number; block_size: number };
  const tensors = new Map<string, ReferenceTensor>();
  for (const [key, value] of Object.entries(stored)) {
    const found = NAMES.find(([pattern]) => pattern.test(key));
    if (found && !key.endsWith('.attn.bias')) tensors.set(key.replace(...found), { shape: value.shape.toReversed(), data: numbers(value) });
  }
  const metadata = new Map<string, MetadataValue>(
    Object.entries({
      'general.architecture': 'gpt2',
      'gpt2.context_length': sizes.block_size,
      'gpt2.embedding_length': sizes.n_embd,
      'gpt2.block_count': sizes.n_layer,
      'gpt2.feed_forward_length': 4 * sizes.n_embd,
      'gpt2.attention.head_count': sizes.n_head,
      'gpt2.attention.layer_norm_epsilon': 1e-5,
    }),
  );
  return memoryFile(metadata, tensors);
}

/** PyTorch's name of each activation, and ours. */
const ACTIVATIONS: Record<string, string> = {
  tok_emb: 'token_embd.weight',
  x: 'embd',
  ln1: 'blk.0.attn_norm.weight',
  qkv: 'blk.0.attn_qkv',
  y: 'blk.0.attention',
  yProj: 'blk.0.attn_output',
  attnResid: 'blk.0.attn_residual',
  ln2: 'blk.0.ffn_norm.weight',
  fc: 'blk.0.ffn_up',
  gelu: 'blk.0.gelu',
  mlp: 'blk.0.ffn_down',
  mlpResid: 'blk.0.output',
  block0: 'blk.0.output',
  block1: 'blk.1.output',
  block2: 'blk.2.output',
  ln_f: 'output_norm.weight',
};
const TOLERANCE = 2e-5;

describe.skipIf(!hasData)(titled('gpt-nano-sort'), () => {
  it('sorts letters as the golden file says', async () => {
    const { runner } = await loadRunner(nodeHost(), sortModel(), ordinary);
    const { cases } = readJson<{ cases: { input: number[]; output: number[] }[] }>('golden/gpt-nano-sort.json');
    for (const { input, output } of cases) {
      const cache = runner.newSequence();
      const sorted: number[] = [];
      for (let next = input; sorted.length < output.length; next = sorted.slice(-1)) {
        evaluate(runner, cache, next);
        const logits = [...runner.logits()];
        sorted.push(logits.indexOf(Math.max(...logits)));
      }
      expect(sorted, `sorting ${input}`).toEqual(output);
      cache.release();
    }
    expect(cases.length).toBeGreaterThan(100);
  });

  it('has every activation that PyTorch recorded', async () => {
    const partials = readJson<Record<string, Stored>>('models/gpt-nano-sort/partials.json');
    const { runner, plan } = await loadRunner(nodeHost(), sortModel(), { ...ordinary, keepAll: true });
    const value = (label: string, row: number) => {
      const { address, stride, columns } = plan.values.get(label)!;
      return new Float32Array(runner.kernels.memory.buffer, address + row * stride * 4, columns).slice();
    };
    const [batch, tokens] = partials.idx!.shape as [number, number];
    const idx = numbers(partials.idx!);
    for (let b = 0; b < batch; b++) {
      evaluate(runner, runner.newSequence(), idx.slice(b * tokens, (b + 1) * tokens), { logits: 'all' });
      const expected = (name: string, row: number, width: number) => numbers(partials[name]!).subarray((b * tokens + row) * width, (b * tokens + row + 1) * width);
      for (let row = 0; row < tokens; row++) {
        for (const [theirs, ours] of Object.entries(ACTIVATIONS)) {
          const actual = value(ours, row);
          expect(largestDifference(actual, expected(theirs, row, actual.length)), `${theirs}, sequence ${b}, token ${row}`).toBeLessThan(TOLERANCE);
        }
        expect(largestDifference(value('position_embd.weight', row), numbers(partials.pos_emb!).subarray(row * 48, row * 48 + 48))).toBeLessThan(TOLERANCE);
        const logits = [...runner.logits(row)];
        expect(largestDifference(logits, expected('lm_head', row, 3))).toBeLessThan(1e-4);
        const p = logits.map((x) => Math.exp(x));
        const sum = p.reduce((a, x) => a + x, 0);
        expect(largestDifference(p.map((x) => x / sum), expected('probs', row, 3))).toBeLessThan(TOLERANCE);
      }
      checkAttention(b, tokens, (row) => value('blk.0.attn_qkv', row), partials);
    }
  });
});

/** The kernel never stores scores (online softmax): they are formed here from its queries and keys. */
function checkAttention(b: number, tokens: number, qkv: (row: number) => Float32Array, partials: Record<string, Stored>): void {
  const stored = (name: string) => numbers(partials[name]!);
  for (let head = 0; head < 3; head++) {
    const part = (i: number, row: number) => qkv(row).subarray(i * 48 + head * 16, i * 48 + head * 16 + 16);
    for (let row = 0; row < tokens; row++) {
      (['q', 'k', 'v'] as const).forEach((name, i) => {
        const at = ((b * 3 + head) * tokens + row) * 16;
        expect(largestDifference(part(i, row), stored(name).subarray(at, at + 16))).toBeLessThan(TOLERANCE);
      });
      const scores = Array.from({ length: row + 1 }, (_, j) => part(0, row).reduce((sum, x, d) => sum + x * part(1, j)[d]!, 0) / 4);
      const weights = scores.map((s) => Math.exp(s));
      const sum = weights.reduce((a, x) => a + x, 0);
      const at = ((b * 3 + head) * tokens + row) * tokens;
      expect(largestDifference(scores, stored('att').subarray(at, at + row + 1))).toBeLessThan(1e-4);
      expect(largestDifference(weights.map((w) => w / sum), stored('attSm').subarray(at, at + row + 1))).toBeLessThan(TOLERANCE);
    }
  }
}
