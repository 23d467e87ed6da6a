import { describe, expect, test } from 'vitest';
import { openModel } from '../../src/files/index.js';
import { expectRefusal } from './support/expect.js';
import { quantise, SMALL, weights, writeLlama2c } from './support/llama2c-writer.js';
import { bytesOf } from './support/random.js';
import { readTensor, readWhole } from './support/shared.js';

const edited = (bytes: Uint8Array<ArrayBuffer>, edit: (view: DataView) => void) => {
  edit(new DataView(bytes.buffer));
  return bytes;
};

describe('llama2.c', () => {
  const written = weights(SMALL);
  const dequantised = ({ codes, scales }: ReturnType<typeof quantise>) => Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / 4)]!);

  test.each([
    [0, true],
    [0, false],
    [1, true],
    [1, false],
    [2, true],
    [2, false],
  ] as const)('v%i, tied %s', async (version, tied) => {
    const model = await openModel(writeLlama2c(SMALL, version, tied));
    expect(model.tensors.has('output.weight')).toBe(!tied);
    expect(model.metadata.get('llama.attention.key_length')).toBe(4);
    for (const [name, layers] of Object.entries(written)) {
      if (name === 'output' && tied) continue;
      for (const [layer, values] of layers.entries()) {
        const target = layers.length > 1 ? `blk.${layer}.${name}.weight` : `${name}.weight`;
        const exact = version < 2 || name.includes('norm');
        expect(await readTensor(model, target), target).toEqual(exact ? values : dequantised(quantise(values, 4)));
      }
    }
    expect(await readWhole(model, 7)).toBe([...model.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0));
  });

  test('v2 delivers any byte range', async () => {
    const model = await openModel(writeLlama2c(SMALL, 2));
    const expected = bytesOf(dequantised(quantise(written.token_embd![0]!, 4)));
    const into = new Uint8Array(21);
    await model.read(model.tensors.get('token_embd.weight')!, 13, into);
    expect(into).toEqual(expected.subarray(13, 34));
  });

  test('map order is disk order, so a stream can be read', async () => {
    for (const version of [0, 1, 2] as const) await readWhole(await openModel(new Blob([writeLlama2c(SMALL, version, false)]).stream()), 33);
  });

  test.each([
    ['a tail that v0 does not have', new Uint8Array([...writeLlama2c(SMALL, 0), 0, 0, 0, 0]), 'bad-file', /llama2\.c v0 file/],
    ['a cut v0 file', writeLlama2c(SMALL, 0).slice(0, 3000), 'truncated', /tensor blk\.1\.ffn_gate\.weight/],
    ['a cut v2 file', writeLlama2c(SMALL, 2).slice(0, 700), 'truncated', /is the first that is missing/],
    ['version 3', edited(writeLlama2c(SMALL, 1), (v) => v.setInt32(4, 3, true)), 'unsupported', /version 3/],
    ['heads that do not divide', edited(writeLlama2c(SMALL, 1), (v) => v.setInt32(20, 3, true)), 'bad-file', /heads 3/],
    ['a negative size', edited(writeLlama2c(SMALL, 1), (v) => v.setInt32(8, -8, true)), 'bad-file', /dim -8/],
    ['a group that does not divide', edited(writeLlama2c(SMALL, 2), (v) => v.setInt32(37, 7, true)), 'bad-file', /7 in buffer/],
    ['only a header', writeLlama2c(SMALL, 1).slice(0, 100), 'truncated', /100/],
  ] as const)('refuses %s', async (_, bytes, code, message) => {
    await expectRefusal(() => openModel(bytes), code, message);
  });
});
