/** Prefix tree over numbers (code units or bytes), in one open-addressing table: (node, unit) -> node. */
export class Trie {
  /** Two entries a slot: node (-1: free), unit. */
  private nodes = new Int32Array(1 << 10).fill(-1);
  private children = new Int32Array(1 << 10);
  private values: number[] = [-1];
  private used = 0;

  add(units: ArrayLike<number>, value: number): void {
    let node = 0;
    for (let i = 0; i < units.length; i++) {
      if (this.used * 4 > this.nodes.length) this.grow();
      const slot = this.slot(node, units[i]!);
      if (this.nodes[slot * 2] === -1) {
        this.nodes[slot * 2] = node;
        this.nodes[slot * 2 + 1] = units[i]!;
        this.children[slot] = this.values.push(-1) - 1;
        this.used++;
      }
      node = this.children[slot]!;
    }
    this.values[node] = value;
  }

  /** The child of a node, or -1; the root is node 0. */
  step(node: number, unit: number): number {
    const slot = this.slot(node, unit);
    return this.nodes[slot * 2] === -1 ? -1 : this.children[slot]!;
  }

  /** The value that ends at a node, or -1. */
  value(node: number): number {
    return this.values[node]!;
  }

  private slot(node: number, unit: number): number {
    const mask = (this.nodes.length >> 1) - 1;
    let slot = (Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca77)) >>> 8 & mask;
    while (this.nodes[slot * 2] !== -1 && (this.nodes[slot * 2] !== node || this.nodes[slot * 2 + 1] !== unit)) slot = (slot + 1) & mask;
    return slot;
  }

  private grow(): void {
    const { nodes, children } = this;
    this.nodes = new Int32Array(nodes.length * 4).fill(-1);
    this.children = new Int32Array(children.length * 4);
    for (let i = 0; i < nodes.length; i += 2) {
      if (nodes[i] === -1) continue;
      const slot = this.slot(nodes[i]!, nodes[i + 1]!);
      this.nodes[slot * 2] = nodes[i]!;
      this.nodes[slot * 2 + 1] = nodes[i + 1]!;
      this.children[slot] = children[i >> 1]!;
    }
  }
}
