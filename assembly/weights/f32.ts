import { SIMD } from '../lanes';
import { storeTransposed } from './transpose';
import { loadRow } from './rows';
import { GROUP } from './types';

/** f32 as in the file. Packed: each column's 8 rows. */
export class Float32 {
  @inline get bits(): i32 { return 32; }
  @inline get fileBytes(): usize { return 4; }
  @inline get groupHead(): usize { return 0; }

  @inline valueAt(group: usize, row: usize, column: usize): f32 { return load<f32>(group + (column << 5) + (row << 2)); }

  @inline pack(dst: usize, src: usize, rows: i32, k: i32, rowBytes: usize): void { packWords(dst, src, rows, k, rowBytes); }
}

function packWords(dst: usize, src: usize, rows: i32, k: i32, rowBytes: usize): void {
  let done = 0;
  if (SIMD) {
    for (; done + 4 <= k; done += 4) {
      for (let row = 0; row < GROUP; row += 4) {
        const at = src + (<usize>done << 2);
        storeTransposed(dst + (<usize>done << 5) + (<usize>row << 2), 32,
          loadRow(at, row, rows, rowBytes), loadRow(at, row + 1, rows, rowBytes),
          loadRow(at, row + 2, rows, rowBytes), loadRow(at, row + 3, rows, rowBytes));
      }
    }
  }
  for (; done < k; done++) {
    for (let row = 0; row < GROUP; row++) {
      const at = src + <usize>row * rowBytes + (<usize>done << 2);
      store<u32>(dst + (<usize>done << 5) + (<usize>row << 2), row < rows ? load<u32>(at) : 0);
    }
  }
}
