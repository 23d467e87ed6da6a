// stonechat's f32 product in a page, in the form of ../shared/peers/kernels: 512 tokens x 2048 x 2048.
export const where = 'page';

const TOKENS = 512;
const WIDTH = 2048;
const OPERATIONS = 2 * TOKENS * WIDTH * WIDTH;

export async function run() {
  const [{ openKernel }, { medianSeconds }] = await Promise.all([import('/engine/stonechat/bench.js'), import('/kernels/timing.mjs')]);
  const rows = [];
  for (const build of ['relaxed', 'simd']) {
    const kernel = await openKernel(`gemm f32, ${TOKENS} tokens`, build);
    kernel.run(20); // the optimising compiler comes in
    rows.push({ kind: 'fp32', build, m: TOKENS, gflops: OPERATIONS / (await medianSeconds(async () => kernel.run(1), 9)) / 1e9 });
  }
  return { rows };
}
