import { describe, expect, test } from 'vitest';
import { openModel } from '../../src/files/index.js';
import { bufferSource } from '../../src/files/sources.js';
import { expectRefusal } from './support/expect.js';
import { bytesOf } from './support/random.js';
import { withHeader, writeSafetensors } from './support/safetensors-writer.js';
import { GPT2_CONFIG, GPT2_TENSORS, json, LLAMA_CONFIG, LLAMA_TENSORS, seedHuggingFace } from './support/seeds.js';
import { readTensor, readWhole } from './support/shared.js';

const open = (files: Record<string, Uint8Array<ArrayBuffer>>) => openModel(Object.entries(files).map(([name, bytes]) => bufferSource(bytes, name)));
const values = (tensor: { data: Uint8Array }) => new Float32Array(tensor.data.slice().buffer);

describe('Hugging Face folders', () => {
  test('llama: keys, names, shapes, rotary order', async () => {
    const model = await open(seedHuggingFace());
    expect(Object.fromEntries(model.metadata)).toEqual({
      'general.architecture': 'llama',
      'general.name': 'the files given',
      'llama.context_length': 16,
      'llama.embedding_length': 8,
      'llama.block_count': 1,
      'llama.feed_forward_length': 16,
      'llama.attention.head_count': 2,
      'llama.attention.head_count_kv': 1,
      'llama.attention.key_length': 4,
      'llama.attention.value_length': 4,
      'llama.attention.layer_norm_rms_epsilon': 1e-5,
      'llama.vocab_size': 12,
      'llama.rope.freq_base': 10000,
      'llama.rope.dimension_count': 4,
      'llama.rope.scaling.type': 'llama3',
      'llama.rope.scaling.factor': 8,
      'llama.rope.scaling.low_freq_factor': 1,
      'llama.rope.scaling.high_freq_factor': 4,
      'llama.rope.scaling.original_context_length': 8,
      'stonechat.rope.style': 'neox',
      'tokenizer.ggml.bos_token_id': 1,
      'tokenizer.ggml.eos_token_id': 2,
    });
    expect([...model.tensors.keys()]).toEqual([
      'token_embd.weight', 'blk.0.attn_norm.weight', 'blk.0.attn_q.weight', 'blk.0.attn_k.weight', 'blk.0.attn_v.weight', 'blk.0.attn_output.weight',
      'blk.0.ffn_norm.weight', 'blk.0.ffn_gate.weight', 'blk.0.ffn_up.weight', 'blk.0.ffn_down.weight', 'output_norm.weight', 'output.weight',
    ]);
    expect(model.tensors.get('blk.0.ffn_up.weight')!.shape).toEqual([8, 16]);
    expect(await readTensor(model, 'blk.0.attn_k.weight')).toEqual(values(LLAMA_TENSORS['model.layers.0.self_attn.k_proj.weight']!));
  });

  const TIED = { ...LLAMA_CONFIG, tie_word_embeddings: true };
  const [EMBEDDING, HEAD] = ['model.embed_tokens.weight', 'lm_head.weight'];
  const without = (...left: string[]) => Object.fromEntries(Object.entries(LLAMA_TENSORS).filter(([name]) => !left.includes(name)));

  test('tied output layers are kept once, whichever of the two the file holds', async () => {
    for (const tensors of [without(HEAD), without(EMBEDDING), { ...LLAMA_TENSORS, [HEAD]: LLAMA_TENSORS[EMBEDDING]! }]) {
      const model = await open(seedHuggingFace(TIED, tensors));
      expect(model.tensors.has('output.weight')).toBe(false);
      expect(await readTensor(model, 'token_embd.weight')).toEqual(values((tensors[EMBEDDING] ?? tensors[HEAD])!));
      expect(model.warnings).toEqual([]);
    }
  });

  test('what config.json says of the output layer and the file does not is told', async () => {
    const differing = await open(seedHuggingFace(TIED));
    expect(await readTensor(differing, 'output.weight')).toEqual(values(LLAMA_TENSORS[HEAD]!));
    expect(differing.warnings).toEqual([expect.stringContaining('lm_head.weight differs')]);
    const missing = await open(seedHuggingFace(LLAMA_CONFIG, without(HEAD)));
    expect(missing.tensors.has('output.weight')).toBe(false);
    expect(missing.warnings).toEqual([expect.stringContaining('no output layer')]);
  });

  test('biases that config.json does not speak of are left out; those that are not there are told', async () => {
    const bias = { dtype: 'F32', shape: [8], data: bytesOf(new Float32Array(8).fill(1)) };
    const tensors = { ...LLAMA_TENSORS, 'model.layers.0.self_attn.q_proj.bias': bias };
    const [plain, biased] = [await open(seedHuggingFace(LLAMA_CONFIG, tensors)), await open(seedHuggingFace({ ...LLAMA_CONFIG, attention_bias: true }, tensors))];
    expect([plain, biased].map((model) => model.tensors.has('blk.0.attn_q.bias'))).toEqual([false, true]);
    expect(plain.warnings).toEqual([expect.stringContaining('left out')]);
    expect(biased.warnings).toEqual([expect.stringContaining('attn_k, attn_v, attn_output')]);
  });

  test('a whole file goes before an index', async () => {
    const index = json({ weight_map: { a: 'model-00001-of-00002.safetensors' } });
    expect((await open({ ...seedHuggingFace(), 'model.safetensors.index.json': index })).tensors.size).toBe(12);
  });

  test.each(['', 'transformer.'])('gpt2 with prefix "%s": Conv1D weights come transposed', async (prefix) => {
    const model = await open(seedHuggingFace(GPT2_CONFIG, Object.fromEntries(Object.entries(GPT2_TENSORS).map(([name, tensor]) => [prefix + name, tensor]))));
    expect(model.metadata.get('gpt2.feed_forward_length')).toBe(32);
    expect(model.metadata.has('stonechat.rope.style')).toBe(false);
    expect(model.tensors.has('blk.0.attn.bias')).toBe(false);
    const qkv = model.tensors.get('blk.0.attn_qkv.weight')!;
    expect(qkv.shape).toEqual([8, 24]);
    const stored = values(GPT2_TENSORS['h.0.attn.c_attn.weight']!); // [8][24]
    const expected = Float32Array.from({ length: 192 }, (_, i) => stored[(i % 8) * 24 + Math.floor(i / 8)]!);
    expect(await readTensor(model, qkv.name)).toEqual(expected);
    const odd = new Uint8Array(101); // any byte range, not only whole elements
    await model.read(qkv, 203, odd);
    expect(odd).toEqual(bytesOf(expected).subarray(203, 304));
    expect(await readTensor(model, 'position_embd.weight')).toEqual(values(GPT2_TENSORS['wpe.weight']!));
    await readWhole(model, 5);
  });

  test('f16 Conv1D weights too', async () => {
    const data = bytesOf(Uint16Array.from({ length: 64 }, (_, i) => i));
    const model = await open(seedHuggingFace(GPT2_CONFIG, { 'h.0.attn.c_proj.weight': { dtype: 'F16', shape: [8, 8], data } }));
    const info = model.tensors.get('blk.0.attn_output.weight')!;
    const into = new Uint16Array(64);
    await model.read(info, 0, new Uint8Array(into.buffer));
    expect([...into]).toEqual(Array.from({ length: 64 }, (_, i) => (i % 8) * 8 + (i >> 3)));
  });

  test.each([
    ['mistral', {}, 'llama', { 'attention.sliding_window': 4096, 'attention.head_count_kv': 1 }],
    ['mistral', { num_key_value_heads: undefined, num_attention_heads: 8, hidden_size: 64 }, 'llama', { 'attention.head_count_kv': 8 }],
    ['llama', { sliding_window: 8, num_key_value_heads: null, max_position_embeddings: undefined }, 'llama', { 'attention.sliding_window': undefined, 'attention.head_count_kv': 2, context_length: 2048 }],
    ['mistral', { sliding_window: null }, 'llama', { 'attention.sliding_window': undefined }],
    ['qwen2', { use_sliding_window: true, max_window_layers: 0 }, 'qwen2', { 'attention.sliding_window': 4096 }],
    ['qwen2', { use_sliding_window: true, sliding_window: 8, max_window_layers: 1 }, 'qwen2', { 'attention.sliding_window': undefined }],
    ['qwen2', { use_sliding_window: true, sliding_window: 8 }, 'qwen2', { 'attention.sliding_window': undefined }],
    ['qwen3', { use_sliding_window: true, sliding_window: 8, layer_types: ['sliding_attention'] }, 'qwen3', { 'attention.sliding_window': 8 }],
    // rope_scaling goes before rope_parameters, what stands inside before what stands beside.
    ['llama', { rope_scaling: {}, rope_theta: 7, rope_parameters: { type: 'linear', factor: 3, rope_theta: 9 } }, 'llama', { 'rope.freq_base': 9, 'rope.scaling.factor': 3 }],
    ['llama', { rope_scaling: { type: 'linear', factor: 3 }, rope_theta: 7, rope_parameters: { rope_type: 'default', rope_theta: 9 } }, 'llama', { 'rope.freq_base': 7, 'rope.scaling.factor': 3 }],
    ['llama', { rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 8 }, original_max_position_embeddings: 6 }, 'llama', { 'rope.scaling.original_context_length': 6 }],
    ['llama', { rope_scaling: { rope_type: 'yarn', factor: 4 } }, 'llama', { 'rope.scaling.original_context_length': 16 }],
    ['llama', { rope_scaling: { rope_type: 'yarn', factor: null, original_max_position_embeddings: 4 } }, 'llama', { 'rope.scaling.factor': 4 }],
    [
      'llama', { rope_scaling: { rope_type: 'yarn', factor: 4, mscale: 1, mscale_all_dim: 0.8, truncate: false } }, 'llama',
      { 'rope.scaling.yarn_mscale': 1, 'rope.scaling.yarn_mscale_all_dim': 0.8, 'rope.scaling.yarn_truncate': false },
    ],
    ['llama', { rope_scaling: { rope_type: 'yarn', factor: 4, mscale: 1, mscale_all_dim: 0, beta_fast: 0 } }, 'llama', { 'rope.scaling.yarn_mscale': undefined, 'rope.scaling.yarn_beta_fast': undefined }],
    ['llama', { rope_scaling: { rope_type: 'yarn', factor: 4, mscale: 1, mscale_all_dim: 1, attention_factor: 2 } }, 'llama', { 'rope.scaling.attention_factor': 2, 'rope.scaling.yarn_mscale': undefined }],
    ['llama', { rope_scaling: null, partial_rotary_factor: 0.5 }, 'llama', { 'rope.dimension_count': 4 }],
    ['mistral', { sliding_window: 4096 }, 'llama', { 'attention.sliding_window': 4096 }],
    ['qwen2', { sliding_window: 4096, use_sliding_window: false }, 'qwen2', { 'attention.sliding_window': undefined }],
    ['qwen3', { head_dim: 6, rope_scaling: null }, 'qwen3', { 'attention.key_length': 6, 'rope.dimension_count': 6, 'rope.scaling.type': undefined }],
    ['llama', { rope_scaling: { type: 'linear', factor: 2 } }, 'llama', { 'rope.scaling.type': 'linear', 'rope.scaling.factor': 2 }],
    [
      'qwen2',
      { rope_scaling: { type: 'yarn', factor: 4, original_max_position_embeddings: 8, beta_fast: 32, attention_factor: 1.1 } },
      'qwen2',
      { 'rope.scaling.type': 'yarn', 'rope.scaling.factor': 4, 'rope.scaling.original_context_length': 8, 'rope.scaling.yarn_beta_fast': 32, 'rope.scaling.attention_factor': 1.1 },
    ],
    ['llama', { rope_scaling: undefined, rope_theta: undefined, rope_parameters: { rope_type: 'default', rope_theta: 5e5 } }, 'llama', { 'rope.freq_base': 5e5, 'rope.scaling.type': undefined }],
  ] as [string, object, string, Record<string, unknown>][])('%s with %j', async (model_type, changes, architecture, expected) => {
    const model = await open(seedHuggingFace({ ...LLAMA_CONFIG, model_type, ...changes }));
    expect(model.metadata.get('general.architecture')).toBe(architecture);
    for (const [key, value] of Object.entries(expected)) expect(model.metadata.get(`${architecture}.${key}`), key).toBe(value);
  });

  test('shards, with an index or by their names', async () => {
    const names = Object.keys(LLAMA_TENSORS);
    const part = (from: number, to: number) => writeSafetensors(Object.fromEntries(names.slice(from, to).map((name) => [name, LLAMA_TENSORS[name]!])));
    const [a, b] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
    const files = { 'config.json': json(LLAMA_CONFIG), [b]: part(5, 12), [a]: part(0, 5) };
    const index = json({ metadata: {}, weight_map: Object.fromEntries(names.map((name, i) => [name, i < 5 ? a : b])) });
    for (const model of [await open(files), await open({ ...files, 'model.safetensors.index.json': index })]) {
      expect(model.tensors.size).toBe(12);
      expect(await readTensor(model, 'token_embd.weight')).toEqual(values(LLAMA_TENSORS[names[0]!]!));
      await readWhole(model);
      await model.close();
    }
    await expectRefusal(() => open({ 'config.json': files['config.json'], [b]: files[b]!, 'model.safetensors.index.json': index }), 'not-found', /model-00001-of-00002/);
  });

  test('files beside the weights can be read again and again', async () => {
    const model = await open({ ...seedHuggingFace(), 'tokenizer.json': json({ a: 1 }) });
    for (let i = 0; i < 2; i++) expect(await model.sibling('tokenizer.json')).toEqual(json({ a: 1 }));
  });

  const config = (changes: object) => () => open(seedHuggingFace({ ...LLAMA_CONFIG, ...changes }));
  const tensors = (changes: Parameters<typeof seedHuggingFace>[1]) => () => open(seedHuggingFace(LLAMA_CONFIG, { ...LLAMA_TENSORS, ...changes }));
  const weights = (header: object | string) => () => open({ ...seedHuggingFace(), 'model.safetensors': withHeader(typeof header === 'string' ? Buffer.from(header) : json(header), [new Uint8Array(64)]) });
  const data = new Uint8Array(8);
  test.each([
    ['a model type', config({ model_type: 'mixtral' }), 'unsupported', /mixtral/],
    ['no model type', config({ model_type: undefined }), 'unsupported', /found nothing/],
    ['an activation', config({ hidden_act: 'gelu' }), 'unsupported', /hidden_act/],
    ['rope scaling', config({ rope_scaling: { rope_type: 'longrope', factor: 2 } }), 'unsupported', /longrope/],
    ['a part of a head that turns, scaled', config({ partial_rotary_factor: 0.5 }), 'unsupported', /partial_rotary_factor 0\.5/],
    ['a rotary key that is not known', config({ rope_scaling: { rope_type: 'linear', factor: 2, mrope_section: [1, 2] } }), 'unsupported', /mrope_section/],
    ['rotary settings by kinds of layers', config({ rope_scaling: undefined, rope_parameters: { full_attention: { rope_type: 'default' } } }), 'unsupported', /full_attention/],
    ['layers of another kind', config({ model_type: 'qwen3', layer_types: ['linear_attention'] }), 'unsupported', /layer_types/],
    ['a window that is none', config({ model_type: 'mistral', sliding_window: 'wide' }), 'bad-file', /sliding_window/],
    ['capped logits', config({ attn_logit_softcapping: 50 }), 'unsupported', /attn_logit_softcapping/],
    ['scaled logits', config({ logits_scaling: 4 }), 'unsupported', /logits_scaling/],
    ['a size that is none', config({ hidden_size: '8' }), 'bad-file', /hidden_size/],
    ['a config that is no JSON', () => open({ ...seedHuggingFace(), 'config.json': Buffer.from('{"a":') as never }), 'bad-file', /JSON in config\.json/],
    ['a config that is a list', () => open({ ...seedHuggingFace(), 'config.json': json([]) }), 'bad-file', /an array/],
    ['F8', tensors({ 'model.norm.weight': { dtype: 'F8_E4M3', shape: [8], data } }), 'unsupported', /F8_E4M3.* in "model\.norm\.weight"/],
    ['I64', tensors({ 'model.norm.weight': { dtype: 'I64', shape: [1], data } }), 'unsupported', /I64/],
    ['experts', tensors({ 'model.layers.0.mlp.experts.0.up_proj.weight': { dtype: 'F32', shape: [2], data } }), 'unsupported', /experts\.0/],
    ['a span that does not fit the shape', weights({ 'model.norm.weight': { dtype: 'F32', shape: [8], data_offsets: [0, 31] } }), 'bad-file', /span the 32 bytes/],
    ['a negative size', weights({ 'model.norm.weight': { dtype: 'F32', shape: [-8], data_offsets: [0, 32] } }), 'bad-file', /the shape/],
    ['a tensor past the end', weights({ 'model.norm.weight': { dtype: 'F32', shape: [80], data_offsets: [0, 320] } }), 'truncated', /output_norm\.weight/],
    ['overlapping tensors', weights({ 'model.norm.weight': { dtype: 'F32', shape: [8], data_offsets: [0, 32] }, 'lm_head.weight': { dtype: 'F32', shape: [8], data_offsets: [0, 32] } }), 'bad-file', /side by side/],
    ['a broken header', weights('{"a": [1, 2'), 'bad-file', /JSON in the header/],
    ['no config.json', () => openModel(seedHuggingFace()['model.safetensors']!), 'not-found', /config\.json/],
    ['no weights', () => open({ 'config.json': json(LLAMA_CONFIG), 'tokenizer.json': json({}) }), 'not-found', /safetensors/],
    ['several sets of weights', () => open({ 'config.json': json(LLAMA_CONFIG), 'a.safetensors': data, 'b.safetensors': data }), 'bad-option', /a\.safetensors, b\.safetensors/],
    ['an index that leads out of the folder', () => open({ 'config.json': json(LLAMA_CONFIG), 'x.safetensors': data, 'model.safetensors.index.json': json({ weight_map: { a: '../x.safetensors' } }) }), 'bad-file', /weight_map/],
  ] as const)('refuses %s', async (_, call, code, message) => {
    await expectRefusal(call, code, message);
  });
});
