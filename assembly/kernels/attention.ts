/**
 * Causal grouped-query attention with an online softmax (Milakov and Gimelshein 2018) over the blocks of the KV cache.
 *
 * A work item (attention_item.ts) is one KV head and up to TOKENS tokens. Per block: scores = queries x key tiles, softmax of each
 * row, outputs += weights x value tiles; the products are attention_f32.ts's or, over a q8_0 cache, attention_q8.ts's.
 *
 * Order of operations for one row, whatever rows stand beside it (so that bits do not depend on how a prompt is split):
 * blocks lie at absolute positions; within a block the maximum is taken first, then the weights 2^(s (score - maximum)),
 * s = scale / ln 2, are summed in order of the keys and added to total * shrink, where shrink = 2^(s (old maximum - maximum)).
 * The output is multiplied by shrink before the block's values are added. The scale is positive.
 */
import * as floats from './attention_f32';
import { Item, QUAD, TOKENS, finishRows, hideLater, itemAt, itemBytes, quadOf, startQuad, weighQuad } from './attention_item';
import * as codes from './attention_q8';
import { BLOCK, blockBytes, headBytes } from './kv';

/** Work items of m tokens, numbered by KV head, then tokens: threads that share them get early and late tokens alike. */
export function attention_items(m: i32, kvHeads: i32): i32 {
  return kvHeads * ((m + TOKENS - 1) / TOKENS);
}

/** Scratch that one thread needs; it does not grow with the context. */
export function attention_scratch_bytes(headDim: i32, headsPerGroup: i32): usize {
  return itemBytes(headDim, headsPerGroup);
}

/**
 * Attention of m tokens, stored already at positions position … position + m - 1, over all tokens up to their own.
 * q and out have rows of heads x headDim elements (strides in elements); query head h uses KV head h / (heads / kvHeads).
 */
export function attention_f32_f32(out: usize, q: usize, kv: usize, scratch: usize, m: i32, position: i32, heads: i32, kvHeads: i32, headDim: i32, context: i32, scale: f32, outStride: i32, qStride: i32, first: i32, end: i32): void {
  attendItems(out, q, kv, scratch, m, position, heads, kvHeads, headDim, context, scale, outStride, qStride, first, end, false);
}

/** As attention_f32_f32, over a q8_0 cache. */
export function attention_f32_q8_0(out: usize, q: usize, kv: usize, scratch: usize, m: i32, position: i32, heads: i32, kvHeads: i32, headDim: i32, context: i32, scale: f32, outStride: i32, qStride: i32, first: i32, end: i32): void {
  attendItems(out, q, kv, scratch, m, position, heads, kvHeads, headDim, context, scale, outStride, qStride, first, end, true);
}

function attendItems(out: usize, q: usize, kv: usize, scratch: usize, m: i32, position: i32, heads: i32, kvHeads: i32, headDim: i32, context: i32, scale: f32, outStride: i32, qStride: i32, first: i32, end: i32, quantised: bool): void {
  const item = itemAt(scratch, headDim, heads / kvHeads, scale, quantised), blocks = attention_items(m, 1);
  for (let index = first; index < end; ++index) {
    const kvHead = index / blocks, token = (index % blocks) * TOKENS, tokens = min(TOKENS, m - token);
    const column = <usize>(kvHead * item.group * headDim);
    item.rows = tokens * item.group;
    item.start = position + token;
    item.last = item.start + tokens - 1;
    startRows(item, q + ((<usize>token * <usize>qStride + column) << 2), qStride);
    attend(item, kv + <usize>kvHead * headBytes(context, headDim, quantised));
    finishRows(item, out + ((<usize>token * <usize>outStride + column) << 2), outStride);
  }
}

function startRows(item: Item, q: usize, qStride: i32): void {
  memory.fill(item.scores, 0, item.quads - item.scores);
  for (let row = 0; row < item.rows; row += QUAD) {
    startQuad(item, row, q, qStride);
    if (item.quantised) codes.encodeQueries(quadOf(item, row), item.headDim);
  }
}

/** Walks the blocks up to the item's last token, quad by quad: all that is about one quad and one block stays in the first cache. */
function attend(item: Item, block: usize): void {
  for (let at = 0; at <= item.last; at += BLOCK) {
    const keys = min(BLOCK, item.last + 1 - at);
    const whole = at + BLOCK <= item.start + 1;
    for (let row = 0; row < item.rows; row += QUAD) {
      const quad = quadOf(item, row), rows = min(QUAD, item.rows - row);
      if (item.quantised) codes.scoreQuad(item, quad, rows, block, keys);
      else floats.scoreQuad(item, quad, rows, block, keys);
      if (!whole) hideLater(item, row, at);
      weighQuad(item, quad);
      if (item.quantised) codes.addQuad(item, quad, rows, block, keys, whole);
      else floats.addQuad(item, quad, rows, block, whole);
    }
    block += blockBytes(item.headDim, item.quantised);
  }
}
