/**
 * Losses of generative models beside cross entropy, and what a variational autoencoder draws by. Rows of n elements, strides in
 * elements; losses are f32, one a row: sums over the columns in ascending order, in f64, rounded once. A gradient is that of
 * scale * loss, each element computed in f64 and rounded once: the same bits on every build.
 */
import { exp_f64, log_f64 } from '../math';

// @ts-ignore: decorator
@inline
function at(x: usize, row: usize, stride: i32): usize {
  return x + ((row * <usize>stride) << 2);
}

/** Sum of (x - target)^2. */
export function squared_error_f32(losses: usize, x: usize, targets: usize, n: i32, xStride: i32, targetStride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    let a = at(x, row, xStride), b = at(targets, row, targetStride), sum: f64 = 0;
    for (let i = 0; i < n; ++i, a += 4, b += 4) {
      const difference = <f64>load<f32>(a) - <f64>load<f32>(b);
      sum += difference * difference;
    }
    store<f32>(losses + (row << 2), <f32>sum);
  }
}

/** dx = scale 2 (x - target), dTargets its negative. */
export function squared_error_f32_grad(dx: usize, dTargets: usize, x: usize, targets: usize, n: i32, dxStride: i32, dTargetStride: i32, xStride: i32, targetStride: i32, scale: f64, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    let a = at(x, row, xStride), b = at(targets, row, targetStride), da = at(dx, row, dxStride), db = at(dTargets, row, dTargetStride);
    for (let i = 0; i < n; ++i, a += 4, b += 4, da += 4, db += 4) {
      const slope = <f32>(2 * scale * (<f64>load<f32>(a) - <f64>load<f32>(b)));
      store<f32>(da, slope);
      store<f32>(db, -slope);
    }
  }
}

/** Sum of log(1 + e^x) - label x: cross entropy of sigmoid(x) with one label from 0 to 1 for all. */
export function logistic_loss_f32(losses: usize, x: usize, n: i32, xStride: i32, label: f64, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    let a = at(x, row, xStride), sum: f64 = 0;
    for (let i = 0; i < n; ++i, a += 4) {
      const value = <f64>load<f32>(a), size = NativeMath.abs(value);
      sum += NativeMath.max(value, 0) - label * value + log_f64(1 + exp_f64(-size));
    }
    store<f32>(losses + (row << 2), <f32>sum);
  }
}

/** dx = scale (sigmoid(x) - label). */
export function logistic_loss_f32_grad(dx: usize, x: usize, n: i32, dxStride: i32, xStride: i32, label: f64, scale: f64, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    let a = at(x, row, xStride), da = at(dx, row, dxStride);
    for (let i = 0; i < n; ++i, a += 4, da += 4) store<f32>(da, <f32>(scale * (1 / (1 + exp_f64(-<f64>load<f32>(a))) - label)));
  }
}

/** y = mean + e^(logVariance / 2) noise: the reparameterisation of Kingma and Welling 2013. */
export function gaussian_f32(y: usize, mean: usize, logVariance: usize, noise: usize, n: i32, yStride: i32, meanStride: i32, varianceStride: i32, noiseStride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    let to = at(y, row, yStride), a = at(mean, row, meanStride), b = at(logVariance, row, varianceStride), c = at(noise, row, noiseStride);
    for (let i = 0; i < n; ++i, to += 4, a += 4, b += 4, c += 4) store<f32>(to, <f32>(<f64>load<f32>(a) + exp_f64(0.5 * <f64>load<f32>(b)) * <f64>load<f32>(c)));
  }
}

/** dMean = dy; dLogVariance = dy noise e^(logVariance / 2) / 2. */
export function gaussian_f32_grad(dMean: usize, dLogVariance: usize, dy: usize, logVariance: usize, noise: usize, n: i32, dMeanStride: i32, dVarianceStride: i32, dyStride: i32, varianceStride: i32, noiseStride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    let to = at(dMean, row, dMeanStride), other = at(dLogVariance, row, dVarianceStride), d = at(dy, row, dyStride), b = at(logVariance, row, varianceStride), c = at(noise, row, noiseStride);
    for (let i = 0; i < n; ++i, to += 4, other += 4, d += 4, b += 4, c += 4) {
      const slope = load<f32>(d);
      store<f32>(to, slope);
      store<f32>(other, <f32>(0.5 * <f64>slope * <f64>load<f32>(c) * exp_f64(0.5 * <f64>load<f32>(b))));
    }
  }
}

/** Sum of (mean^2 + e^logVariance - 1 - logVariance) / 2: the Kullback-Leibler divergence from the standard normal distribution. */
export function gaussian_kl_f32(losses: usize, mean: usize, logVariance: usize, n: i32, meanStride: i32, varianceStride: i32, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    let a = at(mean, row, meanStride), b = at(logVariance, row, varianceStride), sum: f64 = 0;
    for (let i = 0; i < n; ++i, a += 4, b += 4) {
      const m = <f64>load<f32>(a), v = <f64>load<f32>(b);
      sum += 0.5 * (m * m + exp_f64(v) - 1 - v);
    }
    store<f32>(losses + (row << 2), <f32>sum);
  }
}

/** dMean = scale mean; dLogVariance = scale (e^logVariance - 1) / 2. */
export function gaussian_kl_f32_grad(dMean: usize, dLogVariance: usize, mean: usize, logVariance: usize, n: i32, dMeanStride: i32, dVarianceStride: i32, meanStride: i32, varianceStride: i32, scale: f64, first: i32, end: i32): void {
  for (let row = <usize>first; row < <usize>end; ++row) {
    let to = at(dMean, row, dMeanStride), other = at(dLogVariance, row, dVarianceStride), a = at(mean, row, meanStride), b = at(logVariance, row, varianceStride);
    for (let i = 0; i < n; ++i, to += 4, other += 4, a += 4, b += 4) {
      store<f32>(to, <f32>(scale * <f64>load<f32>(a)));
      store<f32>(other, <f32>(0.5 * scale * (exp_f64(<f64>load<f32>(b)) - 1)));
    }
  }
}
