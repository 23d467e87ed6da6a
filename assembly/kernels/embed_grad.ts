/**
 * Gradient of the table of embeddings: row ids[i] (i32) of dtable += row i of dy, i = 0 … m - 1 in order. dtable is packed as
 * repack_f32 does. Items first … end are groups of 8 rows of the table.
 */
export function embed_f32_grad(dtable: usize, dy: usize, ids: usize, m: i32, columns: i32, dyStride: i32, first: i32, end: i32): void {
  const rows = <u32>(end - first) << 3, base = <u32>first << 3;
  for (let token: usize = 0; token < <usize>m; ++token) {
    const row = load<u32>(ids + (token << 2));
    if (row - base >= rows) continue;
    addRow(dtable + <usize>(row >> 3) * (<usize>columns << 5) + ((row & 7) << 2), dy + ((token * <usize>dyStride) << 2), columns);
  }
}

/** One row of a packed matrix, whose elements lie 32 bytes apart, += x. */
function addRow(to: usize, x: usize, columns: i32): void {
  for (const end = x + (<usize>columns << 2); x < end; x += 4, to += 32) store<f32>(to, load<f32>(to) + load<f32>(x));
}
