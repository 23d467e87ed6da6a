/** A growing list of ids. */
export class Ids {
  private list: Int32Array;
  length = 0;

  constructor(expected: number) {
    this.list = new Int32Array(Math.max(16, expected));
  }

  push(id: number): void {
    this.reserve(1);
    this.list[this.length++] = id;
  }

  append(ids: Int32Array | readonly number[]): void {
    this.reserve(ids.length);
    this.list.set(ids, this.length);
    this.length += ids.length;
  }

  finish(): Int32Array {
    return this.list.length === this.length ? this.list : this.list.slice(0, this.length);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.list.length) return;
    const longer = new Int32Array(Math.max(this.length + more, this.list.length * 2));
    longer.set(this.list);
    this.list = longer;
  }
}
