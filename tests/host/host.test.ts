import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { supportedBuilds } from '../../src/host/builds.js';
import { edgeHost } from '../../src/host/edge.js';
import type { Host, KernelCode } from '../../src/host/host.js';
import { nodeHost } from '../../src/host/node.js';
import { instantiateKernels } from '../../src/kernels/instance.js';

const major = Number.parseInt(process.versions.node, 10);
const kindOf = (module: WebAssembly.Module) => instantiateKernels(module, 'simd').exports.build_kind();
const simdBytes = () => readFileSync('dist/wasm/simd.wasm');
const compile = (host: Host) => host.compile('scalar', false);

describe('builds', () => {
  it('are those that give right results, fastest first', () => {
    expect(nodeHost().builds).toEqual(major >= 22 ? ['relaxed', 'simd', 'scalar'] : ['simd', 'scalar']);
  });

  it('can be listed where nothing may be compiled', () => {
    expect(supportedBuilds(false)).toEqual(supportedBuilds(true));
  });

  it('leave out a relaxed dot that answers wrongly', () => {
    const { Instance } = WebAssembly;
    try {
      // Node 20's baseline compiler drops the accumulator: 2 * 4 * 3 * 5
      WebAssembly.Instance = class { exports = { p: () => 120 }; } as unknown as typeof Instance;
      expect(supportedBuilds(true)).toEqual(['simd', 'scalar']);
    } finally {
      WebAssembly.Instance = Instance;
    }
  });
});

describe('compile', () => {
  it('takes the embedded kernels', async () => {
    expect(kindOf(await nodeHost().compile('scalar', false))).toBe(0);
    expect(kindOf(await nodeHost().compile('simd', false))).toBe(1);
  });

  it.each<[string, () => KernelCode | Promise<KernelCode>]>([
    ['bytes', simdBytes],
    ['a promise of bytes', async () => simdBytes()],
    ['a compiled module', () => new WebAssembly.Module(simdBytes())],
    ['a response', () => new Response(simdBytes())],
  ])("takes the caller's kernels as %s", async (_, kernels) => {
    expect(kindOf(await compile(nodeHost().configure({ kernels })))).toBe(1);
    expect(kindOf(await compile(edgeHost({ kernels })))).toBe(1);
  });

  it.each<[string, () => KernelCode, RegExp]>([
    ['no module', () => new Uint8Array(9), /magic/],
    ['an answer that says no', () => new Response('', { status: 404 }), /answered 404/],
    ['something else', () => 'simd.wasm' as unknown as KernelCode, /./],
  ])('refuses %s', async (_, kernels, found) => {
    await expect(compile(nodeHost({ kernels }))).rejects.toMatchObject({ name: 'StonechatError', code: 'unavailable', found: expect.stringMatching(found) });
  });

  it('keeps earlier settings when configured again', async () => {
    const host = nodeHost({ kernels: simdBytes }).configure({ workerUrl: '/w.js' }).configure({});
    expect(kindOf(await compile(host))).toBe(1);
  });
});

describe('a worker', () => {
  it('that fails says so', async () => {
    const worker = nodeHost().startWorker();
    const failed = new Promise((resolve) => worker.onFailure(resolve));
    worker.post({ nonsense: true });
    expect(await failed).toBeInstanceOf(Error);
    worker.terminate();
  });
});

describe('an edge host', () => {
  const host = edgeHost();
  const refusal = { name: 'StonechatError', code: 'unavailable' };

  it('has one thread and says what it lacks', async () => {
    expect(host).toMatchObject({ canThread: false, canWait: false, processors: 1 });
    expect(() => host.startWorker()).toThrow(expect.objectContaining(refusal));
    await expect(host.compile('simd', true)).rejects.toMatchObject(refusal);
    await expect(host.open('models/a.gguf')).rejects.toMatchObject(refusal);
    expect(await host.list('models')).toBeUndefined();
    expect(await host.yield()).toBeUndefined();
  });
});
