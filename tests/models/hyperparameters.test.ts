import { describe, expect, it } from 'vitest';
import type { MetadataValue } from '../../src/files/types.js';
import { nodeHost } from '../../src/host/node.js';
import { instantiateKernels } from '../../src/kernels/instance.js';
import { buildNetwork } from '../../src/models/index.js';
import type { RopeScaling } from '../../src/graph/graph.js';
import { angleFactor } from '../../src/plan/forward.js';
import { estimateMemory, loadRunner } from '../../src/run/load.js';
import { expectRefusal } from '../files/support/expect.js';
import { ordinary } from '../run/support.js';
import { tinyModel, type TinyShape } from './tiny.js';

const SHAPE: TinyShape = { architecture: 'llama', embedding: 16, layers: 1, heads: 2, kvHeads: 1, feedForward: 24, vocabulary: 20, context: 64 };
const model = (extra: Record<string, MetadataValue>, shape: Partial<TinyShape> = {}) => tinyModel({ ...SHAPE, ...shape, extra });
const rope = (extra: Record<string, MetadataValue>) => (buildNetwork(model(extra)).graph.inputs['angles'] as { rope: RopeScaling }).rope;
const host = nodeHost();

describe('rotary settings', () => {
  it.each([
    [{}, 'none', 1],
    [{ 'rope.scaling.type': 'none', 'rope.scaling.factor': 4 }, 'none', 4],
    [{ 'rope.scaling.factor': 4 }, 'linear', 4], // llama.cpp's default kind
    [{ 'rope.scale_linear': 2 }, 'linear', 2],
    [{ 'rope.scaling.type': 'yarn', 'rope.scaling.factor': 4 }, 'yarn', 4],
    [{ 'rope.scaling.type': 'yarn', 'rope.scaling.factor': 4, 'rope.scaling.yarn_truncate': false }, 'yarn_exact', 4],
  ])('%j', (extra, kind, factor) => {
    expect(rope(extra as Record<string, MetadataValue>)).toMatchObject({ kind, factor });
  });

  it.each(['constructor', '__proto__', 'toString', 'longrope', ''])('refuses the kind %j', async (type) => {
    await expectRefusal(async () => rope({ 'rope.scaling.type': type, 'rope.scaling.factor': 2 }), 'unsupported', /rope scaling/);
  });

  it('the attention factor follows mscale and mscale_all_dim', async () => {
    const { exports } = instantiateKernels(await host.compile('scalar', false), 'scalar');
    const yarn = { 'rope.scaling.type': 'yarn', 'rope.scaling.factor': 4 };
    const factor = (more: Record<string, MetadataValue>) => angleFactor(rope({ ...yarn, ...more }), exports);
    const of = (share: number) => 0.1 * share * Math.log(4) + 1;
    expect(factor({})).toBeCloseTo(of(1), 14);
    expect(factor({ 'rope.scaling.yarn_mscale': 1, 'rope.scaling.yarn_mscale_all_dim': 0.8 })).toBeCloseTo(of(1) / of(0.8), 14);
    expect(factor({ 'rope.scaling.attention_factor': 0.5 })).toBe(0.5);
  });
});

describe('keys that would change the numbers', () => {
  it.each([
    ['logit_scale', 0.25], ['attention.scale', 0.1], ['attention.clamp_kqv', 8], ['attn_logit_softcapping', 50], ['final_logit_softcapping', 30], ['expert_count', 8],
    ['embedding_scale', 12], ['residual_scale', 0.2], ['attention.causal', false], ['rope.dimension_sections', Int32Array.of(1, 2)], ['rope.scaling.yarn_log_multiplier', 0.1],
  ] as [string, MetadataValue][])('refuses %s %s', async (key, value) => {
    await expectRefusal(async () => buildNetwork(model({ [key]: value })), 'unsupported', new RegExp(key.replaceAll('.', '\\.')));
  });

  it('takes them where they change nothing', () => {
    expect(() => buildNetwork(model({ 'logit_scale': 1, 'expert_count': 0, 'attention.causal': true }))).not.toThrow();
  });

  it('refuses tensors that nothing computes with, but not blocks beyond the last', async () => {
    const file = tinyModel(SHAPE);
    const norm = file.tensors.get('blk.0.attn_norm.weight')!;
    const withTensor = (name: string) => ({ ...file, tensors: new Map([...file.tensors, [name, { ...norm, name }]]) });
    await expectRefusal(async () => buildNetwork(withTensor('blk.0.post_attention_norm.weight')), 'unsupported', /post_attention_norm/);
    expect(() => buildNetwork(withTensor('blk.1.nextn.weight'))).not.toThrow();
  });
});

describe('sliding windows', () => {
  const windowed = model({ 'attention.sliding_window': 8 });
  it('do not hold the context', async () => {
    const { warnings } = await estimateMemory(host, windowed, ordinary);
    expect(warnings).toEqual([]);
    const { runner } = await loadRunner(host, windowed, { ...ordinary, contextLength: undefined });
    expect(runner.contextLength).toBeGreaterThan(8);
    runner.dispose();
  });

  it('of zero tokens are none', async () => {
    expect((await estimateMemory(host, model({ 'attention.sliding_window': 0 }), ordinary)).warnings).toEqual([]);
  });
});
