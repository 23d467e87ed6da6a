import { Effort } from './growth.js';
import type { Ids } from './ids.js';
import type { GreedyModel, TokenizerSpec } from './spec.js';
import { Trie } from './trie.js';

/** The longest token at each place (RWKV World). */
export class GreedyEncoder {
  private readonly trie = new Trie();
  private readonly unknown: number | undefined;

  constructor({ unk }: TokenizerSpec, { tokenBytes }: GreedyModel) {
    this.unknown = unk;
    tokenBytes.forEach((bytes, id) => bytes.length && this.trie.add(bytes, id));
  }

  encode(text: string, ids: Ids): void {
    const bytes = new TextEncoder().encode(text);
    const effort = new Effort();
    for (let at = 0; at < bytes.length; ) {
      let best = -1;
      let next = at + 1;
      let end = at;
      for (let node = 0; end < bytes.length; ) {
        node = this.trie.step(node, bytes[end++]!);
        if (node < 0) break;
        if (this.trie.value(node) < 0) continue;
        best = this.trie.value(node);
        next = end;
      }
      if (best >= 0) ids.push(best);
      else if (this.unknown !== undefined) ids.push(this.unknown);
      effort.spend(end - at, at);
      at = next;
    }
  }
}
