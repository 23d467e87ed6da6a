/**
 * FNV-1a with 64 bits over 32-bit words: for each of `words` words at x, state = (state xor word) * 0x100000001b3.
 * The state is the u64 at address `state`, little endian, so that calls can be chained without 64-bit arguments;
 * whoever starts a hash writes the offset basis 0xcbf29ce484222325 there.
 */
export function hash_words(state: usize, x: usize, words: i32): void {
  let hash = load<u64>(state);
  for (let i = 0; i < words; ++i, x += 4) hash = (hash ^ <u64>load<u32>(x)) * 0x100000001b3;
  store<u64>(state, hash);
}
