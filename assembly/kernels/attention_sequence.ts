import { exp, log_f64 } from '../math';

export function attention_sequence_scratch_bytes(length: i32, headDim: i32, group: i32): usize {
  return <usize>length << 3;
}

/** Causal. */
export function attention_sequence_f32(out: usize, lse: usize, q: usize, k: usize, v: usize, starts: usize, scratch: usize, length: i32, heads: i32, kvHeads: i32, headDim: i32, scale: f32, outStride: i32, qStride: i32, kStride: i32, vStride: i32, first: i32, end: i32): void {
  const group = heads / kvHeads;
  for (let item = first; item < end; ++item) {
    const sequence = item / kvHeads, kvHead = item % kvHeads;
    for (let head = kvHead * group; head < (kvHead + 1) * group; ++head) {
      for (let row = sequence * length; row < (sequence + 1) * length; ++row) {
        const start = load<i32>(starts + (<usize>row << 2)), q0 = at(q, row, qStride, head * headDim), o0 = at(out, row, outStride, head * headDim);
        let top: f32 = -Infinity, total: f32 = 0;
        for (let key = start; key <= row; ++key) {
          const score = scale * dot(q0, at(k, key, kStride, kvHead * headDim), headDim);
          store<f32>(scratch + (<usize>(key - start) << 2), score);
          top = max(top, score);
        }
        for (let dim = 0; dim < headDim; ++dim) store<f32>(o0 + (<usize>dim << 2), 0);
        for (let key = start; key <= row; ++key) {
          const weight = exp<f32>(load<f32>(scratch + (<usize>(key - start) << 2)) - top);
          total += weight;
          addScaled(o0, at(v, key, vStride, kvHead * headDim), weight, headDim);
        }
        for (let dim = 0; dim < headDim; ++dim) store<f32>(o0 + (<usize>dim << 2), load<f32>(o0 + (<usize>dim << 2)) / total);
        store<f32>(at(lse, row, heads, head), <f32>(<f64>top + log_f64(<f64>total)));
      }
    }
  }
}

export function attention_sequence_f32_grad(dq: usize, dk: usize, dv: usize, dout: usize, out: usize, lse: usize, q: usize, k: usize, v: usize, starts: usize, scratch: usize, length: i32, heads: i32, kvHeads: i32, headDim: i32, scale: f32, dqStride: i32, dkStride: i32, dvStride: i32, doutStride: i32, outStride: i32, qStride: i32, kStride: i32, vStride: i32, first: i32, end: i32): void {
  const group = heads / kvHeads;
  for (let item = first; item < end; ++item) {
    const sequence = item / kvHeads, kvHead = item % kvHeads;
    for (let row = sequence * length; row < (sequence + 1) * length; ++row) {
      memory.fill(at(dk, row, dkStride, kvHead * headDim), 0, <usize>headDim << 2);
      memory.fill(at(dv, row, dvStride, kvHead * headDim), 0, <usize>headDim << 2);
      memory.fill(at(dq, row, dqStride, kvHead * group * headDim), 0, <usize>(group * headDim) << 2);
    }
    for (let head = kvHead * group; head < (kvHead + 1) * group; ++head) {
      for (let row = sequence * length; row < (sequence + 1) * length; ++row) {
        const start = load<i32>(starts + (<usize>row << 2)), q0 = at(q, row, qStride, head * headDim), d0 = at(dout, row, doutStride, head * headDim);
        const delta = dot(d0, at(out, row, outStride, head * headDim), headDim);
        for (let key = start; key <= row; ++key) {
          const k0 = at(k, key, kStride, kvHead * headDim);
          const p = exp<f32>(scale * dot(q0, k0, headDim) - load<f32>(at(lse, row, heads, head)));
          const ds: f32 = p * (dot(d0, at(v, key, vStride, kvHead * headDim), headDim) - delta) * scale;
          addScaled(at(dv, key, dvStride, kvHead * headDim), d0, p, headDim);
          addScaled(at(dk, key, dkStride, kvHead * headDim), q0, ds, headDim);
          addScaled(at(dq, row, dqStride, head * headDim), k0, ds, headDim);
        }
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function at(base: usize, row: i32, stride: i32, column: i32): usize {
  return base + ((<usize>row * <usize>stride + <usize>column) << 2);
}

function dot(a: usize, b: usize, n: i32): f32 {
  let total: f32 = 0;
  for (let i: usize = 0; i < <usize>n; ++i) total += load<f32>(a + (i << 2)) * load<f32>(b + (i << 2));
  return total;
}

function addScaled(y: usize, x: usize, scale: f32, n: i32): void {
  for (let i: usize = 0; i < <usize>n; ++i) store<f32>(y + (i << 2), load<f32>(y + (i << 2)) + scale * load<f32>(x + (i << 2)));
}
