import type { ModelFile, TensorInfo } from '../../files/types.js';
import { type Initializer, metadataOf, type ModelConfig, type WeightShape, weightsOf } from './config.js';
import { cosine, type SameMath } from '../loop/math.js';
import { mix, Normal } from '../data/random.js';

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** A model before its first step, as a file: every weight drawn from the seed and its place. */
export function initialModel(config: ModelConfig, seed: number, math: SameMath): ModelFile {
  const shapes = weightsOf(config);
  const order = new Map(shapes.map(({ name }, i) => [name, i]));
  const infos = shapes.map(({ name, shape }): [string, TensorInfo] => [name, { name, type: 'f32', shape, bytes: size(shape) * 4 }]);
  let last: { name: string; bytes: Uint8Array } | undefined;
  const bytesOf = (name: string) => {
    if (last?.name !== name) last = { name, bytes: new Uint8Array(draw(shapes[order.get(name)!]!, mix(seed, order.get(name)!), math).buffer) };
    return last.bytes;
  };
  return {
    format: 'gguf',
    name: 'a new model',
    fileBytes: infos.reduce((sum, [, { bytes }]) => sum + bytes, 0),
    metadata: metadataOf(config, 'stonechat'),
    tensors: new Map(infos),
    read: async ({ name }, offset, into) => into.set(bytesOf(name).subarray(offset, offset + into.length)),
    sibling: async () => undefined,
    close: async () => {},
  };
}

function draw({ shape, init }: WeightShape, seed: number, math: SameMath): Float32Array<ArrayBuffer> {
  const values = new Float32Array(size(shape));
  if (init === 'sinusoids') return sinusoids(values, shape[0]!, math);
  if ('value' in init) return values.fill(init.value);
  return normal(values, init, seed, math);
}

function normal(values: Float32Array<ArrayBuffer>, { normal: deviation }: Exclude<Initializer, 'sinusoids' | { value: number }>, seed: number, { log_f64 }: SameMath): Float32Array<ArrayBuffer> {
  const source = new Normal(seed, log_f64);
  for (let i = 0; i < values.length; i++) values[i] = deviation * source.next();
  return values;
}

/** Row p holds sin(p f) and cos(p f) side by side, f = 10000^(-2i / columns): Vaswani et al. 2017, section 3.5; scaled to the embeddings' size. */
function sinusoids(values: Float32Array<ArrayBuffer>, columns: number, { exp_f64, log_f64 }: SameMath): Float32Array<ArrayBuffer> {
  const step = (2 * log_f64(10000)) / columns;
  for (let row = 0; row * columns < values.length; row++) {
    for (let i = 0; i < columns / 2; i++) {
      const angle = row * exp_f64(-step * i);
      values[row * columns + 2 * i] = SINUSOID_SCALE * cosine(angle - Math.PI / 2);
      values[row * columns + 2 * i + 1] = SINUSOID_SCALE * cosine(angle);
    }
  }
  return values;
}

/** Sinusoids of amplitude 1 would drown token embeddings that begin near 0.02. */
const SINUSOID_SCALE = 0.02 * Math.SQRT2;
