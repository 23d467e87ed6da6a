import { children, type ForNode, type MacroNode, type Node } from './nodes.js';

/** How a variable of a scope begins: given from outside, looked up in the context, as another variable, or missing. */
export type Begin = { from: 'parameter' } | { from: 'context'; name: string } | { from: 'variable'; id: string } | { from: 'nothing' };

/** Which variable a name means, as Jinja settles it before anything runs (jinja2/idtracking.py). */
export class Symbols {
  readonly level: number;
  private refs = new Map<string, string>();
  begins = new Map<string, Begin>();
  private stores = new Set<string>();

  constructor(private readonly parent?: Symbols) {
    this.level = parent ? parent.level + 1 : 0;
  }

  private define(name: string, begin: Begin): string {
    const id = `${this.level}${name}`;
    this.refs.set(name, id);
    this.begins.set(id, begin);
    return id;
  }

  find(name: string): string | undefined {
    return this.refs.get(name) ?? this.parent?.find(name);
  }

  copy(): Symbols {
    const copy = new Symbols(this.parent);
    copy.refs = new Map(this.refs);
    copy.begins = new Map(this.begins);
    copy.stores = new Set(this.stores);
    return copy;
  }

  store(name: string): void {
    this.stores.add(name);
    if (this.refs.has(name)) return;
    const outer = this.parent?.find(name);
    this.define(name, outer === undefined ? { from: 'nothing' } : { from: 'variable', id: outer });
  }

  parameter(name: string): string {
    this.stores.add(name);
    return this.define(name, { from: 'parameter' });
  }

  load(name: string): void {
    if (this.find(name) === undefined) this.define(name, { from: 'context', name });
  }

  /** After an `if`: what only some of its branches set begins as it is outside. */
  join(branches: readonly Symbols[]): void {
    const stores = new Set(branches.flatMap((branch) => [...branch.stores].filter((name) => !this.stores.has(name))));
    for (const branch of branches) {
      branch.refs.forEach((id, name) => this.refs.set(name, id));
      branch.begins.forEach((begin, id) => this.begins.set(id, begin));
      branch.stores.forEach((name) => this.stores.add(name));
    }
    for (const name of stores) {
      const outer = this.parent?.find(name);
      this.begins.set(this.find(name)!, outer === undefined ? { from: 'context', name } : { from: 'variable', id: outer });
    }
  }

  /** Names that are set here or around, with their variables: what a scoped block sees. */
  locals(): Map<string, string> {
    const found = this.parent?.locals() ?? new Map<string, string>();
    for (const name of this.stores) found.set(name, this.find(name)!);
    return found;
  }
}

/** Reads what nodes of a scope load and store. It stops where another scope begins. */
export class Reader {
  constructor(public symbols: Symbols) {}

  all(nodes: readonly Node[], asParameter = false): void {
    for (const node of nodes) this.visit(node, asParameter);
  }

  macro({ args, defaults, body }: MacroNode): void {
    this.all([...args, ...defaults, ...body]);
  }

  loop({ target, test }: ForNode, nodes: readonly Node[], part: 'body' | 'else' | 'test'): void {
    if (part !== 'else') this.visit(target, true);
    this.all(part === 'test' ? [test!] : nodes);
  }

  private visit(node: Node, asParameter: boolean): void {
    const { symbols } = this;
    switch (node.type) {
      case 'Name':
        if (asParameter || node.ctx === 'param') symbols.parameter(node.name);
        else if (node.ctx === 'store') symbols.store(node.name);
        else symbols.load(node.name);
        return;
      case 'NSRef': return symbols.load(node.name);
      case 'If': return this.branches(node);
      case 'Macro': return symbols.store(node.name!);
      case 'Assign': return this.all([node.node, node.target]);
      case 'AssignBlock': return this.visit(node.target, false);
      case 'For': return this.visit(node.iter, asParameter);
      case 'CallBlock': return this.visit(node.call, false);
      case 'FilterBlock': return this.visit(node.filter, false);
      case 'With': return this.all(node.values);
      case 'Autoescape': case 'Block': return;
      default: return this.all(children(node), asParameter);
    }
  }

  private branches(node: Node & { type: 'If' }): void {
    this.visit(node.test, false);
    const { symbols } = this;
    const branch = (nodes: readonly Node[]) => {
      const copy = (this.symbols = symbols.copy());
      this.all(nodes);
      this.symbols = symbols;
      return copy;
    };
    symbols.join([branch(node.body), branch(node.more), branch(node.otherwise)]);
  }
}
