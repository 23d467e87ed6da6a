/** A growing list of token ids in one typed array. */
export class IdList {
  ids = new Int32Array(256);
  length = 0;
  /** How often ids were taken away: as long as it stays the same, what stood at a position stands there. */
  version = 0;

  static of(ids: ArrayLike<number>): IdList {
    const list = new IdList();
    list.append(ids);
    return list;
  }

  push(id: number): void {
    this.reserve(this.length + 1);
    this.ids[this.length++] = id;
  }

  append(more: ArrayLike<number>): void {
    this.reserve(this.length + more.length);
    this.ids.set(more, this.length);
    this.length += more.length;
  }

  truncate(length: number): void {
    if (length >= this.length) return;
    this.length = length;
    this.version++;
  }

  /** A view, valid until the list grows. */
  view(from = 0, to = this.length): Int32Array {
    return this.ids.subarray(from, to);
  }

  /** How many ids from the start on are the same in both. The first `known` are not looked at. */
  commonPrefix(other: IdList, known = 0): number {
    const most = Math.min(this.length, other.length);
    let same = Math.min(known, most);
    while (same < most && this.ids[same] === other.ids[same]) same++;
    return same;
  }

  private reserve(length: number): void {
    if (length <= this.ids.length) return;
    const bigger = new Int32Array(Math.max(length, 2 * this.ids.length));
    bigger.set(this.view());
    this.ids = bigger;
  }
}
