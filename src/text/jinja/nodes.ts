import type { Value } from './values.js';

/** What a call, filter or test is given. */
export interface Given {
  readonly args: readonly Expr[];
  readonly kwargs: readonly (readonly [string, Expr])[];
  readonly dynArgs: Expr | undefined;
  readonly dynKwargs: Expr | undefined;
}

export interface Name {
  type: 'Name';
  name: string;
  ctx: 'load' | 'store' | 'param';
}

export type Target = Name | { type: 'NSRef'; name: string; attr: string } | { type: 'Tuple'; items: Expr[] };

export type Expr =
  | Target
  | { type: 'Const'; value: Value }
  | { type: 'Data'; text: string }
  | { type: 'List'; items: Expr[] }
  | { type: 'Dict'; items: [Expr, Expr][] }
  | { type: 'Cond'; test: Expr; expr1: Expr; expr2: Expr | undefined }
  | { type: 'Bin'; op: string; left: Expr; right: Expr }
  | { type: 'Unary'; op: string; node: Expr }
  | { type: 'Compare'; expr: Expr; ops: [string, Expr][] }
  | { type: 'Concat'; nodes: Expr[] }
  | { type: 'Getattr'; node: Expr; attr: string }
  | { type: 'Getitem'; node: Expr; arg: Expr }
  | { type: 'Slice'; start: Expr | undefined; stop: Expr | undefined; step: Expr | undefined }
  | CallNode
  | FilterNode
  | { type: 'Test'; node: Expr; name: string; given: Given };
export interface CallNode { type: 'Call'; node: Expr; given: Given }
/** Without a node: of what a block wrote. */
export interface FilterNode { type: 'Filter'; node: Expr | undefined; name: string; given: Given }

export interface MacroNode { type: 'Macro'; name: string | undefined; args: Name[]; defaults: Expr[]; body: Stmt[] }
export interface ForNode { type: 'For'; target: Target; iter: Expr; body: Stmt[]; otherwise: Stmt[]; test: Expr | undefined; recursive: boolean }
export interface IfNode { type: 'If'; test: Expr; body: Stmt[]; more: IfNode[]; otherwise: Stmt[] }
export interface BlockNode { type: 'Block'; name: string; scoped: boolean; required: boolean; body: Stmt[] }

export type Stmt =
  | { type: 'Output'; nodes: Expr[] }
  | { type: 'Assign'; target: Target; node: Expr }
  | { type: 'AssignBlock'; target: Target; filter: FilterNode | undefined; body: Stmt[] }
  | ForNode
  | IfNode
  | MacroNode
  | { type: 'CallBlock'; call: CallNode; macro: MacroNode }
  | { type: 'FilterBlock'; body: Stmt[]; filter: FilterNode }
  | { type: 'With'; targets: Target[]; values: Expr[]; body: Stmt[] }
  | BlockNode
  | { type: 'Load'; what: string; node: Expr; names: Name[] }
  | { type: 'Autoescape'; value: Expr; body: Stmt[] }
  | { type: 'Break' | 'Continue'; line: number };

export type Node = Expr | Stmt;

/** The nodes within one, in the order in which they are written. */
export function children(node: object): Node[] {
  const found: Node[] = [];
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(collect);
    else if (typeof value !== 'object' || value === null) return;
    else if ('type' in value) found.push(value as Node);
    else if ('args' in value) Object.values(value).forEach(collect);
  };
  Object.values(node).forEach(collect);
  return found;
}

/** A node and all within it. */
export function* all(node: Node): Generator<Node> {
  yield node;
  for (const child of children(node)) yield* all(child);
}

/** Names of `names` that are read before they are written to; what stands in blocks does not count. */
export function undeclared(nodes: readonly Node[], names: readonly string[]): Set<string> {
  const left = new Set(names);
  const found = new Set<string>();
  const visit = (node: Node): void => {
    if (node.type === 'Block') return;
    if (node.type !== 'Name') children(node).forEach(visit);
    else if (node.ctx === 'load' && left.has(node.name)) found.add(node.name);
    else left.delete(node.name);
  };
  nodes.forEach(visit);
  return found;
}
