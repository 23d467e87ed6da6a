import { SIMD } from '../lanes';
import { largest, log_f64, sum } from '../math';
import { get, mul, put, splat } from '../vector';
import { exponentials } from './softmax';

/**
 * For rows first … end of n logits: losses[row] = -log softmax(logits)[target], and the row itself becomes its gradient,
 * scale * (softmax - onehot). targets are i32; where one is negative, loss and gradient are 0 (the row is masked out).
 *
 * With e[i] = exp(x[i] - largest) and their sum in the order of math.ts: the gradient is e[i] (scale / sum), less scale at the
 * target; the loss is log(sum) in f64 less (x[target] - largest), rounded once.
 */
export function cross_entropy_f32(losses: usize, logits: usize, targets: usize, n: i32, stride: i32, scale: f32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    const x = logits + ((row * <usize>stride) << 2);
    const target = load<i32>(targets + (row << 2));
    if (target < 0) memory.fill(x, 0, <usize>n << 2);
    store<f32>(losses + (row << 2), target < 0 ? 0 : lossOf(x, n, target, scale));
  }
}

function lossOf(x: usize, n: i32, target: i32, scale: f32): f32 {
  const at = x + (<usize>target << 2), top = largest(x, n);
  const chosen: f32 = load<f32>(at) - top;
  exponentials(x, x, n, top, 1);
  const total = sum(x, n);
  multiply(x, n, scale / total);
  store<f32>(at, load<f32>(at) - scale);
  return <f32>(log_f64(<f64>total) - <f64>chosen);
}

function multiply(x: usize, n: i32, by: f32): void {
  let i = 0;
  if (SIMD) {
    for (; i + 4 <= n; i += 4, x += 16) put<v128>(x, mul<v128>(get<v128>(x), splat<v128>(by)));
  }
  for (; i < n; ++i, x += 4) put<f32>(x, get<f32>(x) * by);
}
