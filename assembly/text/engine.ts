/**
 * One tokenizer's tables and buffers. src/text/engine.ts lays them out in a memory of the tokenizer's own and
 * fills this struct: 32-bit words, in this order. Addresses are bytes.
 */
@unmanaged
export class Engine {
  /** The window of UTF-8 text still to be encoded; 16 readable bytes must follow `textEnd`. */
  text: usize;
  textEnd: usize;
  /** 1 when the text ends with the window: nothing that follows could change the last split. */
  final: u32;
  /** Where the next id goes, and the end of the room for ids. */
  out: usize;
  outEnd: usize;
  /** What ran out, with the status that says of what. */
  need: u32;
  /** One of SCAN_*, and its options. */
  scanner: u32;
  flags: u32;
  /** 4352 words: address of 256 class bytes for each 256 code points, 0 while unknown. */
  pages: usize;
  /** The class bytes of U+0000-00FF, always there. */
  latin: usize;
  /** Bytes of token i: blob[starts[i]] … blob[starts[i + 1]]; empty for tokens that text never forms. */
  blob: usize;
  starts: usize;
  tokens: u32;
  /** Open addressing, 16 bytes a slot, see vocabulary.ts. */
  table: usize;
  tableMask: u32;
  /** One bit for each token, by its hash: most byte sequences asked for are no tokens, and the table is larger than a cache. */
  filter: usize;
  filterMask: u32;
  /** Powers of HASH_BASE, `maxLength` + 1 of them. */
  powers: usize;
  maxLength: u32;
  /** Open addressing, 4 words a slot: left id, right id, rank, merged id; left NONE when free. 0: no merge list. */
  pairs: usize;
  pairMask: u32;
  /** Without a merge list: the rank of each token, by which two neighbours merge when their bytes form it, the lowest first. 0: its id. */
  ranks: usize;
  /** 256 ids: the symbol of each byte. 0: symbols are characters. */
  bytes: usize;
  /** 256 ids that stand for a byte of an unknown character, or NONE. */
  fallback: usize;
  /** The id of what cannot be written otherwise, or NONE. */
  unknown: u32;
  /** Words seen: slots of 32 bytes, see cache.ts. */
  cache: usize;
  cacheMask: u32;
  cached: u32;
  /** Bytes and ids of cached words too long for a slot. */
  arena: usize;
  arenaNext: usize;
  arenaEnd: usize;
  /** Room for one word: SCRATCH_PER_BYTE bytes a byte and SCRATCH_BASE more. */
  scratch: usize;
  scratchBytes: u32;
  /** 65,536 pairs of words: rank (or NONE) and merged id of two bytes that adjoin. 0: symbols are characters. */
  bytePairs: usize;
  /** The next span that text_encode_spans takes. */
  span: u32;
}

export const NONE: u32 = 0xffffffff;
export const HASH_BASE: u32 = 0x01000193;
/** Looking further than this behind the end of a piece never decides where it ends. */
export const LOOK_AHEAD: usize = 8;

// Types of tokens that text can form (`tokenizer.ggml.token_type`)
export const NORMAL: u8 = 1;
export const UNUSED: u8 = 5;

// Engine.flags
export const IGNORE_MERGES: u32 = 1; // a word that is a token is that token
export const SPACE_MARK: u32 = 2; // U+2581 is written as a space in blob and text
export const FUSE_UNKNOWN: u32 = 4; // neighbouring unknown characters give one id
export const SINGLE_DIGITS: u32 = 8; // \p{N} instead of \p{N}{1,3}
export const TAIL_SPACES: u32 = 16; // \s+$ before \s*[\r\n]
export const ISOLATED_DIGITS: u32 = 32; // digits are cut out one by one before the pattern runs
export const CROSSING: u32 = 64; // a token goes on behind a space that follows something else (text_tokens finds out)

// What text_encode and text_encode_spans return
export const DONE: i32 = 0;
export const OUT_FULL: i32 = 1; // `need` bytes of room wanted at `out`
export const PAGE_MISSING: i32 = 2; // `need` = page number + 1
export const SCRATCH_SMALL: i32 = 3; // `need` bytes wanted at `scratch`
