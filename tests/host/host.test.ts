import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { supportedBuilds } from '../../src/host/builds.js';
import { edgeHost } from '../../src/host/edge.js';
import type { Host, KernelCode } from '../../src/host/host.js';
import { nodeHost } from '../../src/host/node.js';
import { instantiateKernels } from '../../src/kernels/instance.js';
import { compileSets } from '../../src/kernels/sets.js';

const major = Number.parseInt(process.versions.node, 10);
const kindOf = (module: WebAssembly.Module) => instantiateKernels(module, 'simd').exports.build_kind();
const simdBytes = () => readFileSync('dist/wasm/core/simd.wasm');
const compile = (host: Host) => host.compile('scalar', false);

describe('builds', () => {
  it('are those that give right results, fastest first', () => {
    expect(nodeHost().builds).toEqual(major >= 22 ? ['relaxed', 'simd', 'scalar'] : ['simd', 'scalar']);
  });

  it('can be listed where nothing may be compiled', () => {
    expect(supportedBuilds(false)).toEqual(supportedBuilds(true));
  });

  describe('that a compiler gets wrong are left out', () => {
    const { Instance } = WebAssembly;
    const RESULTS = 16 * 6; // behind the operands: see host/probe.ts
    afterEach(() => {
      WebAssembly.Instance = Instance;
    });

    /** The builds found when `spoil` changes the results of a probe after it has run for so many rounds. */
    async function buildsWith(spoil: (results: DataView, rounds: number) => void): Promise<readonly string[]> {
      WebAssembly.Instance = class {
        exports: object;
        constructor(module: WebAssembly.Module) {
          const { p, m } = new Instance(module).exports as { p: (rounds: number) => void; m: WebAssembly.Memory };
          let ran = 0;
          const spoilt = (rounds: number) => {
            p(rounds);
            spoil(new DataView(m.buffer, RESULTS), (ran += rounds));
          };
          this.exports = { p: spoilt, m };
        }
      } as unknown as typeof Instance;
      vi.resetModules();
      return (await import('../../src/host/builds.js')).supportedBuilds(true);
    }

    const RELAXED_CASES = 9 + 27 + 27;
    const isRelaxed = (results: DataView) => results.getInt32(16 * (RELAXED_CASES - 1), true) !== 0;

    it.runIf(major >= 22)('none where all is right', async () => {
      expect(await buildsWith(() => {})).toEqual(['relaxed', 'simd', 'scalar']);
    });

    it.each([0, 4, 8, 9, 20, 35, 36, 62])('in way %i alone, at once or when the code is hot', async (way) => {
      for (const from of [1, 20_000]) {
        const spoil = (results: DataView, rounds: number) =>
          rounds >= from && isRelaxed(results) && results.setInt8(16 * way + 5, results.getInt8(16 * way + 5) ^ 1);
        expect(await buildsWith(spoil), `from round ${from}`).toEqual(['simd', 'scalar']);
      }
    });

    it('vectors that flush subnormals, as on 32-bit Arm', async () => {
      expect(await buildsWith((results) => isRelaxed(results) || results.setFloat32(0, 0, true))).toEqual(['scalar']);
      expect(await buildsWith((results) => isRelaxed(results) || results.setFloat32(16 * 17, 0, true))).toEqual(['scalar']);
    });

    it('all on a big-endian processor: one refusal', async () => {
      vi.stubGlobal('Uint16Array', { of: () => Uint8Array.of(0, 1) });
      vi.resetModules();
      const { supportedBuilds: find } = await import('../../src/host/builds.js');
      expect(() => find(true)).toThrow(expect.objectContaining({ name: 'StonechatError', code: 'unavailable' }));
      vi.unstubAllGlobals();
    });
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

  it("asks the caller for each set by its name, and says which one is missing and how to add it", async () => {
    const asked: string[] = [];
    const wasm = (set: string) => readFileSync(`dist/wasm/${set}/simd.wasm`);
    const host = nodeHost({ kernels: (build, shared, set) => (asked.push(`${build} ${shared} ${set}`), set === 'k' ? undefined : wasm(set === 'q1' ? 'q0' : set)) });
    const modules = await compileSets(host, 'simd', false, ['core', 'q0', 'q6']);
    expect(asked).toEqual(['simd false core', 'simd false q0', 'simd false q6']);
    expect('matmul_q8_q6_K' in instantiateKernels(modules, 'simd').exports).toBe(true);
    const remedy = (set: string) => expect.stringContaining(`stonechat/kernels/${set}/simd.wasm`);
    await expect(host.compile('simd', false, 'k')).rejects.toMatchObject({
      name: 'StonechatError', code: 'unavailable', expected: expect.stringContaining('the set k (for q4_K, q5_K)'), found: 'nothing', remedy: remedy('k'),
    });
    await expect(host.compile('simd', false, 'q1'), 'another set').rejects.toMatchObject({
      name: 'StonechatError', code: 'unavailable', expected: expect.stringContaining('the set q1 (for q4_1, q5_1)'), found: 'a module without them', remedy: remedy('q1'),
    });
    const nothing = nodeHost({ kernels: () => undefined });
    await expect(nothing.compile('simd', false)).rejects.toMatchObject({ code: 'unavailable', expected: expect.stringContaining('the set core (for every model)') });
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
