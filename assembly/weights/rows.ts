// Rows of the file that are packed together: those missing from the last group are zero rows.

/** 16 bytes of a row, zeros for a row that is missing. */
// @ts-ignore: decorator
@inline export function loadRow(src: usize, row: i32, rows: i32, rowBytes: usize): v128 {
  return row < rows ? v128.load(src + <usize>row * rowBytes) : i32x4.splat(0);
}

/** A row's blocks; a missing row borrows the last one. */
// @ts-ignore: decorator
@inline export function rowAt(src: usize, row: i32, rows: i32, rowBytes: usize): usize { return src + <usize>min(row, rows - 1) * rowBytes; }
