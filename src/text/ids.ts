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

  /** The list; up to a fifth of its buffer may be unused. */
  finish(): Int32Array {
    return this.length * 5 >= this.list.length * 4 ? this.list.subarray(0, this.length) : this.list.slice(0, this.length);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.list.length) return;
    const longer = new Int32Array(Math.max(this.length + more, Math.ceil(this.list.length * 1.5)));
    longer.set(this.list);
    this.list = longer;
  }
}
