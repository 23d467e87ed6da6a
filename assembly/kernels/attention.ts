/**
 * Causal grouped-query attention with an online softmax (Milakov and Gimelshein 2018) over the blocks of the KV cache.
 *
 * A work item (attention_item.ts) is one KV head and up to TOKENS tokens. Per block: scores = queries x key tiles, softmax of each
 * row, outputs += weights x value tiles; the products are attention_f32.ts's or, over a cache of codes,
 * attention_q8.ts's. Blocks of f16 and q4_0 are unpacked first, once for all rows (kv_unpack.ts).
 *
 * Order of operations for one row, whatever rows stand beside it (so that bits do not depend on how a prompt is split):
 * blocks lie at absolute positions; within a block the maximum is taken first, then the weights 2^(s (score - maximum)),
 * s = scale / ln 2, are summed in order of the keys and added to total * shrink, where shrink = 2^(s (old maximum - maximum)).
 * The output is multiplied by shrink before the block's values are added. The scale is positive.
 */
import * as floats from './attention_f32';
import { Item, QUAD, TOKENS, finishRows, firstSeen, hideOthers, itemAt, itemBytes, quadOf, startQuad, weighQuad } from './attention_item';
import * as codes from './attention_q8';
import { BLOCK, Cache, PAGE, blockBytes, headBytes, pageAt } from './kv';
import { unpackBlock, unpackedBytes } from './kv_unpack';

/** Most rows of a tile: neighbours of one sequence that attention walks together. */
export function attention_tile_rows(): i32 {
  return TOKENS;
}

/** Scratch that one thread needs; it does not grow with the context. */
export function attention_scratch_bytes_f32(headDim: i32, headsPerGroup: i32): usize { return scratchBytes(headDim, headsPerGroup, Cache.F32); }
export function attention_scratch_bytes_f16(headDim: i32, headsPerGroup: i32): usize { return scratchBytes(headDim, headsPerGroup, Cache.F16); }
export function attention_scratch_bytes_q8_0(headDim: i32, headsPerGroup: i32): usize { return scratchBytes(headDim, headsPerGroup, Cache.Q8_0); }
export function attention_scratch_bytes_q4_0(headDim: i32, headsPerGroup: i32): usize { return scratchBytes(headDim, headsPerGroup, Cache.Q4_0); }

function scratchBytes(headDim: i32, group: i32, cache: i32): usize {
  return itemBytes(headDim, group) + (cache & 1 ? LINE + unpackedBytes(headDim, cache) : 0);
}

/** Bytes of a cache line. */
const LINE: usize = 64;

/**
 * Attention of rows, whose keys and values are stored already, over all of their sequence up to their own. `tiles` holds count pairs
 * of i32, first row and rows (1 to TOKENS) at positions one after another; positions (i32) and page tables (u32) are those of each row.
 * `state` is the state's offset in a page. q and out have rows of heads x headDim elements (strides in elements); query head h uses
 * KV head h / (heads / kvHeads). A row sees the last `window` positions, its own included, or all where that is 0; pages before are not read. Work items are count x kvHeads, numbered by KV head: threads that share them get early and late rows alike.
 */
export function attention_f32_f32(out: usize, q: usize, state: usize, positions: usize, pages: usize, tiles: usize, scratch: usize, count: i32, heads: i32, kvHeads: i32, headDim: i32, scale: f32, window: i32, outStride: i32, qStride: i32, first: i32, end: i32): void {
  attendItems(out, q, state, positions, pages, tiles, scratch, count, heads / kvHeads, headDim, scale, window, outStride, qStride, first, end, Cache.F32);
}
export function attention_f32_f16(out: usize, q: usize, state: usize, positions: usize, pages: usize, tiles: usize, scratch: usize, count: i32, heads: i32, kvHeads: i32, headDim: i32, scale: f32, window: i32, outStride: i32, qStride: i32, first: i32, end: i32): void {
  attendItems(out, q, state, positions, pages, tiles, scratch, count, heads / kvHeads, headDim, scale, window, outStride, qStride, first, end, Cache.F16);
}
export function attention_f32_q8_0(out: usize, q: usize, state: usize, positions: usize, pages: usize, tiles: usize, scratch: usize, count: i32, heads: i32, kvHeads: i32, headDim: i32, scale: f32, window: i32, outStride: i32, qStride: i32, first: i32, end: i32): void {
  attendItems(out, q, state, positions, pages, tiles, scratch, count, heads / kvHeads, headDim, scale, window, outStride, qStride, first, end, Cache.Q8_0);
}
export function attention_f32_q4_0(out: usize, q: usize, state: usize, positions: usize, pages: usize, tiles: usize, scratch: usize, count: i32, heads: i32, kvHeads: i32, headDim: i32, scale: f32, window: i32, outStride: i32, qStride: i32, first: i32, end: i32): void {
  attendItems(out, q, state, positions, pages, tiles, scratch, count, heads / kvHeads, headDim, scale, window, outStride, qStride, first, end, Cache.Q4_0);
}

function attendItems(out: usize, q: usize, state: usize, positions: usize, pages: usize, tiles: usize, scratch: usize, count: i32, group: i32, headDim: i32, scale: f32, window: i32, outStride: i32, qStride: i32, first: i32, end: i32, cache: i32): void {
  const item = itemAt(scratch, headDim, group, scale, cache);
  for (let index = first; index < end; ++index) {
    const kvHead = index / count, tile = tiles + (<usize>(index % count) << 3), row = <usize>load<i32>(tile), rows = load<i32>(tile, 4);
    const column = <usize>(kvHead * group * headDim);
    item.rows = rows * group;
    item.start = load<i32>(positions + (row << 2));
    item.last = item.start + rows - 1;
    item.window = window;
    startRows(item, q + ((row * <usize>qStride + column) << 2), qStride);
    attend(item, load<usize>(pages + (row << 2)), state + <usize>kvHead * headBytes(PAGE, headDim, cache));
    finishRows(item, out + ((row * <usize>outStride + column) << 2), outStride);
  }
}

function startRows(item: Item, q: usize, qStride: i32): void {
  memory.fill(item.scores, 0, item.quads - item.scores);
  for (let row = 0; row < item.rows; row += QUAD) {
    startQuad(item, row, q, qStride);
    if (item.cache & 2) codes.encodeQueries(quadOf(item, row), item.headDim);
  }
}

/** Walks the blocks up to the item's last token, quad by quad: all that is about one quad and one block stays in the first cache. */
function attend(item: Item, table: usize, offset: usize): void {
  const headDim = item.headDim, room = (changetype<usize>(item) + itemBytes(headDim, item.group) + LINE - 1) & -LINE;
  const bytes = blockBytes(headDim, item.cache), from = firstSeen(item, item.start) & -BLOCK;
  let block: usize = 0;
  for (let at = from; at <= item.last; at += BLOCK) {
    if (at % PAGE == 0 || at == from) block = pageAt(table, at) + offset + <usize>(at % PAGE / BLOCK) * bytes;
    const keys = min(BLOCK, item.last + 1 - at);
    attendBlock(item, item.cache & 1 ? unpackBlock(room, block, keys, headDim, item.cache) : block, at, keys);
    block += bytes;
  }
}

/** `block`: tiles of f32 or of codes of 8 bits. */
function attendBlock(item: Item, block: usize, at: i32, keys: i32): void {
  const whole = at + BLOCK <= item.start + 1 && at >= firstSeen(item, item.last);
  for (let row = 0; row < item.rows; row += QUAD) {
    const quad = quadOf(item, row), rows = min(QUAD, item.rows - row);
    if (item.cache & 2) codes.scoreQuad(item, quad, rows, block, keys);
    else floats.scoreQuad(item, quad, rows, block, keys);
    if (!whole) hideOthers(item, row, at);
    weighQuad(item, quad);
    if (item.cache & 2) codes.addQuad(item, quad, rows, block, keys, whole);
    else floats.addQuad(item, quad, rows, block, whole);
  }
}
