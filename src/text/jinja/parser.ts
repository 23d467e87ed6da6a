import { Lexer, syntax, type Token } from './lexer.js';
import type { Expr, FilterNode, Given, IfNode, MacroNode, Name, Stmt, Target } from './nodes.js';
import { lacking } from './meter.js';
import { str } from './str.js';

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);
const CONSTANTS: Readonly<Record<string, boolean | null>> = { true: true, True: true, false: false, False: false, none: null, None: null };
export const NOTHING: Given = { args: [], kwargs: [], dynArgs: undefined, dynKwargs: undefined };
/** Expressions in expressions. */
const DEEPEST = 150;

const SHOWN: Readonly<Record<string, string>> = { data: 'template data / text', eof: 'end of template' };
function describe({ kind, text }: Token): string {
  if (kind === 'begin' || kind === 'end') return `${kind} of ${text === 'block' ? 'statement block' : 'print statement'}`;
  return kind === 'name' ? text : (SHOWN[kind] ?? kind);
}

/** Statements that few templates use; undefined for what is none. */
export const rare = { statement: lacking as (parser: Parser, tag: string) => Stmt | undefined };

/** Jinja's grammar, by recursive descent. */
export class Parser {
  private readonly tokens: Token[];
  private at = 0;
  private depth = 0;

  constructor(source: string) {
    this.tokens = new Lexer(source).run();
  }

  parse(): Stmt[] {
    return this.body([]);
  }

  private get now(): Token {
    return this.tokens[this.at]!;
  }
  next(): Token {
    return this.tokens[this.at < this.tokens.length - 1 ? this.at++ : this.at]!;
  }
  fail(message: string): never {
    throw syntax(message, this.now.line);
  }
  is(kind: string, text?: string): boolean {
    return this.now.kind === kind && (text === undefined || this.now.text === text);
  }
  isName(...names: string[]): boolean {
    return this.now.kind === 'name' && names.includes(this.now.text);
  }
  take(kind: string, text?: string): boolean {
    const found = this.is(kind, text);
    if (found) this.next();
    return found;
  }
  takeName(name: string): boolean {
    return this.take('name', name);
  }
  expect(kind: string, text?: string): Token {
    if (this.is(kind, text)) return this.next();
    return this.fail(`expected token '${text ?? kind}', got '${describe(this.now)}'`);
  }
  name(): string {
    return this.expect('name').text;
  }

  /** Up to a tag of these names, which is the current token then; without names to the end of the template. */
  private body(ends: readonly string[]): Stmt[] {
    const body: Stmt[] = [];
    let output: Expr[] = [];
    const flush = () => {
      if (output.length) body.push({ type: 'Output', nodes: output });
      output = [];
    };
    if (++this.depth > DEEPEST) this.fail('too many blocks in blocks');
    for (;;) {
      const token = this.next();
      if (token.kind === 'data') output.push({ type: 'Data', text: token.text });
      else if (token.kind === 'eof') {
        if (ends.length) this.fail(`Unexpected end of template. Jinja was looking for the following tags: ${ends.join(', ')}`);
        break;
      } else if (token.text === 'variable') {
        output.push(this.tuple());
        this.expect('end', 'variable');
      } else {
        flush();
        if (this.isName(...ends)) break;
        body.push(this.statement());
        this.expect('end', 'block');
      }
    }
    this.depth--;
    flush();
    return body;
  }

  private statements(...ends: string[]): Stmt[] {
    this.take(':');
    this.expect('end', 'block');
    return this.body(ends);
  }
  /** … and the closing tag's name is left behind. */
  closed(end: string): Stmt[] {
    const body = this.statements(end);
    this.next();
    return body;
  }

  private statement(): Stmt {
    const { kind, text, line } = this.now;
    if (kind !== 'name') this.fail('tag name expected');
    if (text === 'if') return this.parseIf();
    this.next();
    switch (text) {
      case 'for': return this.parseFor();
      case 'set': return this.parseSet();
      case 'macro': return this.macro(this.target(true).name);
      case 'break': return { type: 'Break', line };
      case 'continue': return { type: 'Continue', line };
    }
    return rare.statement(this, text) ?? this.fail(`Encountered unknown tag '${text}'.`);
  }

  private parseIf(): IfNode {
    this.next();
    const test = this.tuple({ conditional: false });
    const node: IfNode = { type: 'If', test, body: this.statements('elif', 'else', 'endif'), more: [], otherwise: [] };
    if (this.isName('elif')) {
      const { more, otherwise, ...first } = this.parseIf();
      node.more = [{ ...first, more: [], otherwise: [] }, ...more];
      node.otherwise = otherwise;
    } else if (this.next().text === 'else') node.otherwise = this.closed('endif');
    return node;
  }

  private parseFor(): Stmt {
    const target = this.target(false, 'in');
    this.expect('name', 'in');
    const iter = this.tuple({ conditional: false, end: 'recursive' });
    const test = this.takeName('if') ? this.expression() : undefined;
    const recursive = this.takeName('recursive');
    const body = this.statements('endfor', 'else');
    const otherwise = this.next().text === 'else' ? this.closed('endfor') : [];
    return { type: 'For', target, iter, body, otherwise, test, recursive };
  }

  private parseSet(): Stmt {
    const target = this.target(false, undefined, true);
    if (this.take('=')) return { type: 'Assign', target, node: this.tuple() };
    const filter = this.filters(undefined, false) as FilterNode | undefined;
    return { type: 'AssignBlock', target, filter, body: this.closed('endset') };
  }

  signature(): Pick<MacroNode, 'args' | 'defaults'> {
    const [args, defaults]: [Name[], Expr[]] = [[], []];
    this.expect('(');
    while (!this.is(')')) {
      if (args.length) this.expect(',');
      const arg = context(this.target(true), 'param');
      if (args.some(({ name }) => name === arg.name)) this.fail(`duplicate argument '${arg.name}' in function definition`);
      if (this.take('=')) defaults.push(this.expression());
      else if (defaults.length) this.fail('non-default argument follows default argument');
      args.push(arg);
    }
    this.next();
    return { args, defaults };
  }

  private macro(name: string): Stmt {
    const signature = this.signature();
    return { type: 'Macro', name, ...signature, body: this.closed('endmacro') };
  }

  target(nameOnly: true): Name;
  target(nameOnly: boolean, end?: string, namespace?: boolean): Target;
  target(nameOnly: boolean, end?: string, namespace = false): Target {
    if (nameOnly) {
      const name = this.name();
      if (name in CONSTANTS) this.fail("can't assign to 'const'");
      return { type: 'Name', name, ctx: 'store' };
    }
    const target = this.tuple({ simple: true, end, namespace });
    if (!assignable(target)) return this.fail(`can't assign to '${target.type.toLowerCase()}'`);
    return context(target, 'store');
  }

  expression(conditional = true): Expr {
    if (++this.depth > DEEPEST) this.fail('too many expressions in expressions');
    const expr = conditional ? this.condition() : this.or();
    this.depth--;
    return expr;
  }

  private condition(): Expr {
    let expr = this.or();
    while (this.takeName('if')) {
      const test = this.or();
      expr = { type: 'Cond', test, expr1: expr, expr2: this.takeName('else') ? this.expression() : undefined };
    }
    return expr;
  }

  private or(): Expr {
    let left = this.and();
    while (this.takeName('or')) left = { type: 'Bin', op: 'or', left, right: this.and() };
    return left;
  }
  private and(): Expr {
    let left = this.not();
    while (this.takeName('and')) left = { type: 'Bin', op: 'and', left, right: this.not() };
    return left;
  }
  private not(): Expr {
    let times = 0;
    while (this.takeName('not')) times++;
    let node = this.compare();
    for (; times; times--) node = { type: 'Unary', op: 'not', node };
    return node;
  }

  private compare(): Expr {
    const expr = this.sum();
    const ops: [string, Expr][] = [];
    for (;;) {
      const { kind } = this.now;
      const after = this.tokens[this.at + 1];
      if (COMPARISONS.has(kind)) this.next();
      else if (this.isName('in')) this.next();
      else if (this.isName('not') && after?.kind === 'name' && after.text === 'in') this.at += 2;
      else break;
      ops.push([kind === 'name' ? (this.tokens[this.at - 2]!.text === 'not' && this.tokens[this.at - 2]!.kind === 'name' ? 'not in' : 'in') : kind, this.sum()]);
    }
    return ops.length ? { type: 'Compare', expr, ops } : expr;
  }

  private operators(ops: readonly string[], inner: () => Expr): Expr {
    let left = inner();
    while (ops.includes(this.now.kind)) left = { type: 'Bin', op: this.next().kind, left, right: inner() };
    return left;
  }
  private sum(): Expr {
    return this.operators(['+', '-'], () => this.concat());
  }
  private concat(): Expr {
    const nodes = [this.product()];
    while (this.take('~')) nodes.push(this.product());
    return nodes.length > 1 ? { type: 'Concat', nodes } : nodes[0]!;
  }
  private product(): Expr {
    return this.operators(['*', '/', '//', '%'], () => this.operators(['**'], () => this.unary(true)));
  }

  private unary(filtered: boolean): Expr {
    const op = this.now.kind;
    if (++this.depth > DEEPEST) this.fail('too many signs');
    const node: Expr = op === '-' || op === '+' ? (this.next(), { type: 'Unary', op, node: this.unary(false) }) : this.primary();
    this.depth--;
    const postfixed = this.postfix(node);
    return filtered ? this.filterExpr(postfixed) : postfixed;
  }

  private primary(namespace = false): Expr {
    const { kind, text } = this.now;
    if (kind === 'name') {
      this.next();
      if (text in CONSTANTS) return { type: 'Const', value: CONSTANTS[text]! };
      if (namespace && this.take('.')) return { type: 'NSRef', name: text, attr: this.name() };
      return { type: 'Name', name: text, ctx: 'load' };
    }
    if (kind === 'string') {
      let whole = '';
      while (this.is('string')) whole += this.next().text;
      return { type: 'Const', value: str(whole) };
    }
    if (kind === 'integer' || kind === 'float') return { type: 'Const', value: number(this.next()) };
    if (this.take('(')) {
      const inner = this.tuple({ explicit: true });
      this.expect(')');
      return inner;
    }
    if (this.take('[')) return { type: 'List', items: this.list(']', () => this.expression()) };
    if (this.take('{')) {
      return { type: 'Dict', items: this.list('}', () => {
        const key = this.expression();
        this.expect(':');
        return [key, this.expression()];
      }) };
    }
    return this.fail(`unexpected '${describe(this.now)}'`);
  }

  private list<T>(end: string, one: () => T): T[] {
    const items: T[] = [];
    while (!this.is(end)) {
      if (items.length) this.expect(',');
      if (this.is(end)) break;
      items.push(one());
    }
    this.next();
    return items;
  }

  private tuple({ simple = false, conditional = true, end = undefined as string | undefined, explicit = false, namespace = false } = {}): Expr {
    const items: Expr[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length) this.expect(',');
      if (this.is('end') || this.is(')') || (end !== undefined && this.isName(end))) break;
      items.push(simple ? this.primary(namespace) : this.expression(conditional));
      if (!this.is(',')) break;
      isTuple = true;
    }
    if (!isTuple && items.length) return items[0]!;
    if (!isTuple && !explicit) this.fail(`Expected an expression, got '${describe(this.now)}'`);
    return { type: 'Tuple', items };
  }

  private postfix(given: Expr): Expr {
    let node = given;
    for (;;) {
      if (this.take('.')) node = this.attribute(node);
      else if (this.take('[')) node = this.subscript(node);
      else if (this.is('(')) node = { type: 'Call', node, given: this.given() };
      else return node;
    }
  }

  private filterExpr(given: Expr): Expr {
    let node = given;
    for (;;) {
      if (this.is('|')) node = this.filters(node, false)!;
      else if (this.isName('is')) node = this.test(node);
      else if (this.is('(')) node = { type: 'Call', node, given: this.given() };
      else return node;
    }
  }

  private attribute(node: Expr): Expr {
    const token = this.next();
    if (token.kind === 'name') return { type: 'Getattr', node, attr: token.text };
    if (token.kind !== 'integer') return this.fail('expected name or number');
    return { type: 'Getitem', node, arg: { type: 'Const', value: number(token) } };
  }

  private subscript(node: Expr): Expr {
    const args: Expr[] = [];
    while (!this.is(']')) {
      if (args.length) this.expect(',');
      args.push(this.subscribed());
    }
    this.next();
    return { type: 'Getitem', node, arg: args.length === 1 ? args[0]! : { type: 'Tuple', items: args } };
  }

  private subscribed(): Expr {
    const ends = () => this.is(']') || this.is(',');
    const start = this.is(':') ? undefined : this.expression();
    if (!this.take(':')) return start!;
    const stop = this.is(':') || ends() ? undefined : this.expression();
    const step = this.take(':') && !ends() ? this.expression() : undefined;
    return { type: 'Slice', start, stop, step };
  }

  private given(): Given {
    const args: Expr[] = [];
    const kwargs: [string, Expr][] = [];
    let [dynArgs, dynKwargs]: [Expr | undefined, Expr | undefined] = [undefined, undefined];
    const ensure = (right: boolean) => right || this.fail('invalid syntax for function call expression');
    this.expect('(');
    for (let more = false; !this.is(')'); more = true) {
      if (more) this.expect(',');
      if (this.is(')')) break;
      if (this.take('*')) {
        ensure(!dynArgs && !dynKwargs);
        dynArgs = this.expression();
      } else if (this.take('**')) {
        ensure(!dynKwargs);
        dynKwargs = this.expression();
      } else if (this.is('name') && this.tokens[this.at + 1]!.kind === '=') {
        ensure(!dynKwargs);
        const key = this.next().text;
        ensure(!kwargs.some(([other]) => other === key));
        this.next();
        kwargs.push([key, this.expression()]);
      } else {
        ensure(!dynArgs && !dynKwargs && !kwargs.length);
        args.push(this.expression());
      }
    }
    this.next();
    return { args, kwargs, dynArgs, dynKwargs };
  }

  private dotted(): string {
    let name = this.name();
    while (this.take('.')) name += `.${this.name()}`;
    return name;
  }

  filters(given: Expr | undefined, inline: boolean): Expr | undefined {
    let node = given;
    for (let first = inline; first || this.take('|'); first = false) {
      const name = this.dotted();
      node = { type: 'Filter', node, name, given: this.is('(') ? this.given() : NOTHING };
    }
    return node;
  }

  private test(node: Expr): Expr {
    this.next();
    const negated = this.takeName('not');
    const name = this.dotted();
    const operand = ['name', 'string', 'integer', 'float', '[', '{'].includes(this.now.kind) && !this.isName('else', 'or', 'and');
    let given = NOTHING;
    if (this.is('(')) given = this.given();
    else if (operand) {
      if (this.isName('is')) this.fail('You cannot chain multiple tests with is');
      given = { ...NOTHING, args: [this.postfix(this.primary())] };
    }
    const test: Expr = { type: 'Test', node, name, given };
    return negated ? { type: 'Unary', op: 'not', node: test } : test;
  }
}

function number({ kind, text }: Token): bigint | number {
  const digits = text.replaceAll('_', '');
  return kind === 'float' ? Number(digits) : BigInt(digits);
}

const assignable = (node: Expr): node is Target => node.type === 'Name' || node.type === 'NSRef' || (node.type === 'Tuple' && node.items.every(assignable));

export function context<T extends Target>(target: T, ctx: Name['ctx']): T {
  if (target.type === 'Name') target.ctx = ctx;
  if (target.type === 'Tuple') target.items.forEach((item) => context(item as Target, ctx));
  return target;
}
