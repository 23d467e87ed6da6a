// One training step of the GPT of bench/training-model.ts in a rival: forward, gradients, AdamW. Prints { tokensPerSecond, loss } as JSON.
//   node24 bench/peers/training.mjs tfjs-wasm|jax-js FOLDER [threads] [--tiny]
// FOLDER is where they are installed: npm install @jax-js/jax @tensorflow/tfjs @tensorflow/tfjs-backend-wasm
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [rival, folder, threads = '1'] = process.argv.slice(2);
const tiny = process.argv.includes('--tiny');
const [D, LAYERS, HEADS, CTX, VOCAB, BATCH] = tiny ? [32, 1, 2, 16, 64, 2] : [256, 6, 8, 256, 4096, 8];
const STEPS = tiny ? 2 : 3;
const require = createRequire(pathToFileURL(`${resolve(folder)}/`));

/** Shapes of the weights by name: matrices [inputs, outputs]. */
function shapes() {
  const all = { token: [VOCAB, D], position: [CTX, D], norm: [D], shift: [D], head: [D, VOCAB] };
  for (let layer = 0; layer < LAYERS; layer++) {
    Object.assign(all, { [`n1${layer}`]: [D], [`s1${layer}`]: [D], [`n2${layer}`]: [D], [`s2${layer}`]: [D], [`qkv${layer}`]: [D, 3 * D], [`proj${layer}`]: [D, D], [`up${layer}`]: [D, 4 * D], [`down${layer}`]: [4 * D, D] });
  }
  return all;
}
const isNorm = (name) => /^n(orm|1|2)/.test(name);
const isShift = (name) => /^s(hift|1|2)/.test(name);
let state = 1;
const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
const values = (name, size) => Float32Array.from({ length: size }, () => (isNorm(name) ? 1 : isShift(name) ? 0 : (next() - 0.5) * 0.07));
const ids = () => Int32Array.from({ length: BATCH * CTX }, () => Math.floor(next() * VOCAB));
const median = (xs) => [...xs].sort((a, b) => a - b)[xs.length >> 1];

async function tfjs() {
  const tf = require('@tensorflow/tfjs'); // tfjs-core alone registers no gradients
  const wasm = require('@tensorflow/tfjs-backend-wasm');
  wasm.setThreadsCount(Number(threads));
  await tf.setBackend('wasm');
  await tf.ready();
  const w = Object.fromEntries(Object.entries(shapes()).map(([name, shape]) => [name, tf.variable(tf.tensor(values(name, shape.reduce((a, b) => a * b)), shape))]));
  const mask = tf.tensor2d(Float32Array.from({ length: CTX * CTX }, (_, i) => (i % CTX > Math.floor(i / CTX) ? -1e9 : 0)), [CTX, CTX]);
  const [input, target] = [ids(), ids()].map((list) => tf.cast(tf.oneHot(tf.tensor1d(list, 'int32'), VOCAB), 'float32')); // its gather has no gradient kernel here
  const norm = (x, scale, shift) => {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    return tf.add(tf.mul(tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.mul(centred, centred), -1, true), 1e-5))), scale), shift);
  };
  const gelu = (x) => tf.mul(x, tf.sigmoid(tf.mul(tf.mul(x, tf.add(tf.mul(tf.mul(x, x), 0.044715), 1)), 1.5957691216)));
  const heads = (x) => tf.transpose(tf.reshape(x, [BATCH, CTX, HEADS, D / HEADS]), [0, 2, 1, 3]);
  const forward = () => {
    let x = tf.reshape(tf.add(tf.reshape(tf.matMul(input, w.token), [BATCH, CTX, D]), w.position), [BATCH * CTX, D]);
    for (let layer = 0; layer < LAYERS; layer++) {
      const [q, k, v] = tf.split(tf.matMul(norm(x, w[`n1${layer}`], w[`s1${layer}`]), w[`qkv${layer}`]), 3, 1).map(heads);
      const scores = tf.add(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(D / HEADS)), mask);
      const seen = tf.reshape(tf.transpose(tf.matMul(tf.softmax(scores), v), [0, 2, 1, 3]), [BATCH * CTX, D]);
      x = tf.add(x, tf.matMul(seen, w[`proj${layer}`]));
      x = tf.add(x, tf.matMul(gelu(tf.matMul(norm(x, w[`n2${layer}`], w[`s2${layer}`]), w[`up${layer}`])), w[`down${layer}`]));
    }
    const logits = tf.matMul(norm(x, w.norm, w.shift), w.head);
    const top = tf.max(logits, -1, true), off = tf.sub(logits, top);
    return tf.mean(tf.sub(tf.log(tf.sum(tf.exp(off), -1)), tf.sum(tf.mul(off, target), -1)));
  };
  const optimizer = tf.train.adam(3e-4); // it has no AdamW; the decay is one multiplication a weight
  return () => tf.tidy(() => {
    const { value, grads } = tf.variableGrads(forward);
    optimizer.applyGradients(grads);
    return value.dataSync()[0];
  });
}

/** Every use of an array but its last takes `.ref`. */
async function jax() {
  const { numpy: np, nn, tree, init, defaultDevice, valueAndGrad, jit, blockUntilReady } = await import(pathToFileURL(resolve(folder, 'node_modules/@jax-js/jax/dist/index.js')).href);
  await init('wasm');
  defaultDevice('wasm');
  const make = (fill) => Object.fromEntries(Object.entries(shapes()).map(([name, shape]) => [name, np.array(fill(name, shape.reduce((a, b) => a * b))).reshape(shape)]));
  const oneHot = () => nn.oneHot(np.array(ids(), { dtype: np.int32 }), VOCAB);
  const input = oneHot(), target = oneHot();
  const norm = (x, scale, shift) => nn.standardize(x, -1).mul(scale).add(shift);
  const heads = (x) => x.reshape([BATCH, CTX, HEADS, D / HEADS]);
  const forward = (w, from, to) => {
    const use = (name) => w[name];
    let x = np.matmul(from, use('token')).reshape([BATCH, CTX, D]).add(use('position')).reshape([BATCH * CTX, D]);
    for (let layer = 0; layer < LAYERS; layer++) {
      const qkv = np.matmul(norm(x.ref, use(`n1${layer}`), use(`s1${layer}`)), use(`qkv${layer}`));
      const [q, k, v] = np.split(qkv, 3, 1).map(heads);
      const seen = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([BATCH * CTX, D]);
      x = x.add(np.matmul(seen, use(`proj${layer}`)));
      const inner = nn.gelu(np.matmul(norm(x.ref, use(`n2${layer}`), use(`s2${layer}`)), use(`up${layer}`)));
      x = x.add(np.matmul(inner, use(`down${layer}`)));
    }
    const logits = np.matmul(norm(x, use('norm'), use('shift')), use('head'));
    return np.mean(nn.logSoftmax(logits, -1).mul(to).sum(-1)).mul(-1);
  };
  const learn = jit((w, m, v, from, to) => {
    const [loss, grads] = valueAndGrad(forward)(tree.ref(w), from, to);
    const [nw, nm, nv] = [{}, {}, {}];
    for (const name of Object.keys(w)) {
      nm[name] = m[name].mul(0.9).add(grads[name].ref.mul(0.1));
      nv[name] = v[name].mul(0.999).add(grads[name].ref.mul(grads[name]).mul(0.001));
      nw[name] = w[name].mul(1 - 3e-6).sub(nm[name].ref.mul(3e-4).div(np.sqrt(nv[name].ref).add(1e-8)));
    }
    return [loss, nw, nm, nv];
  });
  let [w, m, v] = [make(values), make((_, size) => new Float32Array(size)), make((_, size) => new Float32Array(size))];
  return async () => {
    let loss;
    [loss, w, m, v] = learn(w, m, v, input.ref, target.ref);
    await blockUntilReady([w, m, v]);
    return (await loss.data())[0];
  };
}

const step = await { 'tfjs-wasm': tfjs, 'jax-js': jax }[rival]();
const seconds = [];
let loss;
for (let i = 0; i <= STEPS; i++) {
  const begun = performance.now();
  loss = await step();
  seconds.push((performance.now() - begun) / 1000);
}
console.log(JSON.stringify({ tokensPerSecond: (BATCH * CTX) / median(seconds.slice(1)), loss }));
process.exit(0);
