import { SIMD } from '../lanes';

/**
 * The `count` largest of n values in descending order, ties by lower index, NaN left out: outIds i32 [count],
 * outValues f32 [count]. Returns how many were found. One pass; the answers so far are a heap whose root is the worst,
 * so most values fail one comparison with the root.
 */
export function topk_f32(x: usize, n: i32, count: i32, outIds: usize, outValues: usize): i32 {
  let size = 0, i = 0;
  for (; i < n && size < count; ++i) {
    const value = load<f32>(x + (<usize>i << 2));
    if (value == value) siftUp(outIds, outValues, size++, i, value);
  }
  if (size == 0) return 0;
  while (i < n) {
    if (SIMD && i + 8 <= n && noneAbove(x + (<usize>i << 2), load<f32>(outValues))) {
      i += 8;
      continue;
    }
    const value = load<f32>(x + (<usize>i << 2));
    if (value > load<f32>(outValues)) siftDown(outIds, outValues, size, i, value);
    i += 1;
  }
  sortHeap(outIds, outValues, size);
  return size;
}

// @ts-ignore: decorator
@inline
function noneAbove(x: usize, bound: f32): bool {
  const limit = f32x4.splat(bound);
  return !v128.any_true(v128.or(f32x4.gt(v128.load(x), limit), f32x4.gt(v128.load(x, 16), limit)));
}

// @ts-ignore: decorator
@inline
function put(ids: usize, values: usize, slot: i32, id: i32, value: f32): void {
  store<i32>(ids + (<usize>slot << 2), id);
  store<f32>(values + (<usize>slot << 2), value);
}

/** Does entry (id, value) rank behind the entry in `slot`? */
// @ts-ignore: decorator
@inline
function behind(ids: usize, values: usize, slot: i32, id: i32, value: f32): bool {
  const other = load<f32>(values + (<usize>slot << 2));
  return value < other || (value == other && id > load<i32>(ids + (<usize>slot << 2)));
}

/** Adds an entry to the heap of `slot` entries. */
function siftUp(ids: usize, values: usize, slot: i32, id: i32, value: f32): void {
  while (slot > 0) {
    const parent = (slot - 1) >> 1;
    if (!behind(ids, values, parent, id, value)) break;
    put(ids, values, slot, load<i32>(ids + (<usize>parent << 2)), load<f32>(values + (<usize>parent << 2)));
    slot = parent;
  }
  put(ids, values, slot, id, value);
}

/** Replaces the root of the heap of `size` entries. */
function siftDown(ids: usize, values: usize, size: i32, id: i32, value: f32): void {
  let slot = 0;
  for (let child = 1; child < size; child = 2 * slot + 1) {
    let childId = load<i32>(ids + (<usize>child << 2));
    let childValue = load<f32>(values + (<usize>child << 2));
    if (child + 1 < size && !behind(ids, values, child + 1, childId, childValue)) {
      child += 1;
      childId = load<i32>(ids + (<usize>child << 2));
      childValue = load<f32>(values + (<usize>child << 2));
    }
    if (behind(ids, values, child, id, value)) break;
    put(ids, values, slot, childId, childValue);
    slot = child;
  }
  put(ids, values, slot, id, value);
}

/** Takes the worst entry off the heap again and again, to the end of the list. */
function sortHeap(ids: usize, values: usize, size: i32): void {
  for (let last = size - 1; last > 0; --last) {
    const id = load<i32>(ids + (<usize>last << 2));
    const value = load<f32>(values + (<usize>last << 2));
    put(ids, values, last, load<i32>(ids), load<f32>(values));
    siftDown(ids, values, last, id, value);
  }
}
