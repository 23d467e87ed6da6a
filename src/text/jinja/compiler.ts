import { getattr, getitem } from './attributes.js';
import { type Around, filters, rareFilters } from './filters.js';
import { fail, JinjaError, lacking, meter, spend } from './meter.js';
import { all, type BlockNode, type CallNode, type Expr, type FilterNode, type ForNode, type Given, type IfNode, type MacroNode, type Stmt, type Target, undeclared } from './nodes.js';
import { binary, signed } from './operators.js';
import { Parser } from './parser.js';
import { drain, Env, Loop, Namespace, Out, type Runtime, type Running, type Signal } from './runtime.js';
import { Reader, Symbols } from './scope.js';
import { escapeHtml, plain, text } from './show.js';
import { concat, Str, str } from './str.js';
import { isCallable, tests } from './tests.js';
import { type Call, contains, Dict, each, equal, find, Fn, iterate, type Kw, listOf, Obj, order, sequence, slice, type Table, truth, Tuple, typeName, Undefined, type Value } from './values.js';

export type Eval = (env: Env) => Value;
type Unit = (rt: Runtime, out: Out) => Running;
export type Exec = (env: Env, out: Out) => Signal | void | Running;

/** A scope as it is known before the template runs. */
export interface Frame {
  readonly symbols: Symbols;
  /** At the top, or in an `if` there: variables can be seen by macros and blocks. */
  readonly top: boolean;
  /** In an `if`: unknown filters and tests are errors only when they are called. */
  readonly soft: boolean;
  readonly inLoop: boolean;
}

export const inner = ({ symbols, inLoop }: Frame, more: Partial<Frame> = {}): Frame => ({ symbols: new Symbols(symbols), top: false, soft: false, inLoop, ...more });

export const syntax = (message: string) => new JinjaError('syntax', message);
export const unsupported = (message: string) => new JinjaError('unsupported', message);

export function enter({ symbols }: Frame, env: Env): void {
  for (const [id, begin] of symbols.begins) {
    if (begin.from === 'context') env.set(id, env.rt.lookUp(begin.name));
    else if (begin.from === 'variable') env.set(id, env.get(begin.id));
    else if (begin.from === 'nothing') env.set(id, undefined);
  }
}

export const leave = ({ symbols }: Frame, env: Env): void => symbols.begins.forEach((_, id) => env.set(id, undefined));

const TURN = 512;
let untilTurn = TURN;

export function* run(body: readonly Exec[], env: Env, out: Out): Running {
  for (const statement of body) {
    spend(1);
    if (--untilTurn <= 0) {
      untilTurn = TURN;
      yield;
    }
    const result = statement(env, out);
    const signal = typeof result === 'object' ? yield* result : result;
    if (signal) return signal;
  }
  return undefined;
}

function captured(body: readonly Exec[], env: Env): Str {
  const out = new Out();
  drain(run(body, env, out));
  return out.text();
}

/** What few templates use. */
export const rare = {
  statement: lacking as (compiler: Compiler, node: Stmt, frame: Frame) => Exec,
  /** `self`: the template's blocks by name. */
  self: lacking as (rt: Runtime) => Value,
};

/** A parsed template as functions. */
export class Compiler {
  readonly blocks = new Map<string, Unit>();
  private readonly filters: Table;
  private readonly tests: Table;
  /** The expression that is compiled is one that Jinja works out beforehand, where a slice of what has none is undefined. */
  private constant = false;

  constructor() {
    const around: Around = {
      filter: (name, args, kw) => this.named('filter', name)(args, kw),
      test: (name, args, kw) => this.named('test', name)(args, kw),
    };
    this.filters = filters(around);
    this.tests = tests((what, name) => this.find(what, name) !== undefined);
  }

  /** @throws JinjaError `syntax` or `unsupported`. */
  compile(source: string): Unit {
    const body = new Parser(source).parse();
    const blocks = body.flatMap((node) => [...all(node)]).filter((node) => node.type === 'Block') as BlockNode[];
    const main = this.unit(body, true);
    for (const block of blocks) {
      if (this.blocks.has(block.name)) throw syntax(`block '${block.name}' defined twice`);
      this.blocks.set(block.name, this.unit(block.body, false));
    }
    return main;
  }

  /** A template's body, or that of a block. */
  private unit(body: readonly Stmt[], top: boolean): Unit {
    const frame: Frame = { symbols: new Symbols(), top, soft: false, inLoop: false };
    const self = undeclared(body, ['self']).has('self') ? frame.symbols.parameter('self') : undefined;
    new Reader(frame.symbols).all(body);
    const compiled = this.body(body, frame);
    return (rt, out) => {
      const env = new Env(rt);
      if (self) env.set(self, rare.self(rt));
      enter(frame, env);
      return run(compiled, env, out);
    };
  }

  body(nodes: readonly Stmt[], frame: Frame): Exec[] {
    return nodes.map((node) => this.statement(node, frame));
  }

  private statement(node: Stmt, frame: Frame): Exec {
    switch (node.type) {
      case 'Output': return this.output(node.nodes, frame);
      case 'Assign': return this.assignment(node.target, this.expr(node.node, frame), frame);
      case 'AssignBlock': return this.assignBlock(node, frame);
      case 'For': return this.loop(node, frame);
      case 'If': return this.branches(node, frame);
      case 'Macro': return this.defineMacro(node, frame);
      case 'Break': case 'Continue': {
        if (!frame.inLoop) throw syntax(`'${node.type.toLowerCase()}' outside loop, line ${node.line}`);
        const signal = node.type === 'Break' ? 'break' : 'continue';
        return () => signal;
      }
      default: return rare.statement(this, node, frame);
    }
  }

  private output(nodes: readonly Expr[], frame: Frame): Exec {
    const parts = nodes.map((node) => {
      if (node.type === 'Data') {
        const data = str(node.text);
        return (_: Env, out: Out) => out.add(data);
      }
      this.constant = isConstant(node);
      const value = this.expr(node, frame);
      this.constant = false;
      return (env: Env, out: Out) => out.add(meter().autoescape ? escapeHtml(value(env)) : text(value(env)));
    });
    return (env, out) => {
      for (const part of parts) part(env, out);
    };
  }

  /** Puts a value into names, attributes of namespaces, or a tuple of such. */
  store(target: Target, frame: Frame): (env: Env, value: Value) => void {
    if (target.type === 'Name') {
      const id = frame.symbols.find(target.name)!;
      return (env, value) => {
        env.set(id, value);
        if (frame.top) env.rt.vars.set(target.name, value);
      };
    }
    if (target.type === 'NSRef') {
      const id = frame.symbols.find(target.name)!;
      return (env, value) => (env.get(id) as Namespace).set!(target.attr, value);
    }
    const stores = target.items.map((item) => this.store(item as Target, frame));
    return (env, value) => unpack(value, stores.length).forEach((item, i) => stores[i]!(env, item));
  }

  private assignment(target: Target, value: Eval, frame: Frame): Exec {
    const store = this.store(target, frame);
    const spaces = [...all(target)].flatMap((node) => (node.type === 'NSRef' ? [frame.symbols.find(node.name)!] : []));
    return (env) => {
      for (const id of spaces) if (!(env.get(id) instanceof Namespace)) fail('cannot assign attribute on non-namespace object');
      store(env, value(env));
    };
  }

  private assignBlock({ target, filter, body }: Stmt & { type: 'AssignBlock' }, frame: Frame): Exec {
    const own = inner(frame);
    new Reader(own.symbols).all(body);
    const compiled = this.body(body, own);
    const filtered = filter && this.expr(filter, own);
    const store = this.store(target, frame);
    const namespaced = target.type !== 'Name';
    return function* (env) {
      enter(own, env);
      const out = new Out();
      const signal = yield* run(compiled, env, out);
      if (signal) return signal;
      const written = out.text();
      env.piped = written;
      const value = filtered ? filtered(env) : written;
      if (namespaced) checkNamespace(target, frame, env);
      store(env, meter().autoescape ? text(value).as(true) : value);
      leave(own, env);
      return undefined;
    };
  }

  private branches({ test, body, more, otherwise: rest }: IfNode, frame: Frame): Exec {
    const soft: Frame = { ...frame, soft: true };
    const choices = [{ test, body }, ...more].map((one) => ({ test: this.expr(one.test, soft), body: this.body(one.body, soft) }));
    const otherwise = this.body(rest, soft);
    return (env, out) => run(choices.find((one) => truth(one.test(env)))?.body ?? otherwise, env, out);
  }

  private loop(node: ForNode, frame: Frame): Exec {
    const extended = node.recursive || undeclared(node.body, ['loop']).has('loop') || [...all(node)].some((inside) => inside.type === 'Block' && inside.scoped);
    if ([...all(node)].some((inside) => inside.type === 'Name' && inside.ctx === 'store' && inside.name === 'loop')) throw syntax("Can't assign to special loop variable in for-loop target");
    const [bodyFrame, elseFrame] = [inner(frame, { inLoop: true }), inner(frame)];
    const loopId = extended ? bodyFrame.symbols.parameter('loop') : undefined;
    new Reader(bodyFrame.symbols).loop(node, node.body, 'body');
    new Reader(elseFrame.symbols).loop(node, node.otherwise, 'else');
    const filter = this.loopFilter(node, frame);
    const [iter, store] = [this.expr(node.iter, frame), this.store(node.target, bodyFrame)];
    const [body, otherwise] = [this.body(node.body, bodyFrame), this.body(node.otherwise, elseFrame)];

    function* go(env: Env, out: Out, loop: Loop | undefined, iterator: Iterator<Value, unknown>): Running {
      let empty = true;
      for (;;) {
        const step = loop ? loop.next() : iterator.next();
        if (step.done) break;
        spend(1);
        if (loop) env.set(loopId!, loop.obj);
        store(env, step.value);
        enter(bodyFrame, env);
        const signal = yield* run(body, env, out);
        if (signal === 'break') break;
        if (!signal) empty = false;
      }
      leave(bodyFrame, env);
      if (!empty || !otherwise.length) return undefined;
      enter(elseFrame, env);
      const signal = yield* run(otherwise, env, out);
      leave(elseFrame, env);
      return signal;
    }

    const start = (source: Value, env: Env, out: Out, depth: number): Running => {
      const recurse = node.recursive ? (value: Value, deeper: number) => recursive(value, env, deeper) : undefined;
      const iterator = filter ? filter(source, env) : iterate(source);
      const loop = extended ? new Loop(iterator, filter ? undefined : source, depth, recurse) : undefined;
      return go(env, out, loop, iterator);
    };
    const recursive = (source: Value, env: Env, depth: number): Value => {
      const out = new Out();
      env.rt.meter.deeper();
      drain(start(source, new Env(env.rt, env), out, depth));
      env.rt.meter.depth--;
      return out.text();
    };
    if (node.recursive) return (env, out) => out.add(text(recursive(iter(env), env, 0)));
    return (env, out) => start(iter(env), env, out, 0);
  }

  private loopFilter(node: ForNode, frame: Frame): ((source: Value, env: Env) => Iterator<Value, unknown>) | undefined {
    if (!node.test) return undefined;
    const own = inner(frame);
    new Reader(own.symbols).loop(node, [], 'test');
    const [test, store] = [this.expr(node.test, own), this.store(node.target, own)];
    const { target } = node;
    return function* (source, outer) {
      const env = new Env(outer.rt, outer);
      enter(own, env);
      const iterator = iterate(source);
      for (let step = iterator.next(); !step.done; step = iterator.next()) {
        spend(1);
        store(env, step.value);
        if (truth(test(env))) yield target.type === 'Tuple' ? new Tuple(listOf(step.value)) : step.value;
      }
    };
  }

  /** A macro, or the body of a call block, as a function that makes it when its definition is reached. */
  macro(node: MacroNode, frame: Frame): (env: Env) => Obj {
    const own = inner(frame, { inLoop: false });
    new Reader(own.symbols).macro(node);
    const names = node.args.map(({ name }) => name);
    const wanted = undeclared(node.body, ['caller', 'kwargs', 'varargs']);
    const explicit = names.indexOf('caller');
    if (wanted.has('caller') && explicit >= 0 && explicit < names.length - node.defaults.length) throw syntax('When defining macros or call blocks the special "caller" argument must be omitted or be given a default.');
    const special = (name: string) => (wanted.has(name) && !names.includes(name) ? own.symbols.parameter(name) : undefined);
    const [callerId, kwargsId, varargsId] = [special('caller'), special('kwargs'), special('varargs')];
    new Reader(own.symbols).macro(node);
    const defaults = node.defaults.map((value) => this.expr(value, own));
    const ids = names.map((name) => own.symbols.find(name)!);
    const body = this.body(node.body, own);

    const call = (outer: Env, args: Value[], given: Kw): Value => {
      const [env, kw] = [new Env(outer.rt, outer), new Map(given)];
      const take = (name: string) => {
        const value = kw.get(name);
        kw.delete(name);
        return value;
      };
      names.forEach((name, i) => env.set(ids[i]!, i < args.length ? args[i] : take(name)));
      if (callerId) {
        const caller = take('caller');
        env.set(callerId, caller === undefined || caller === null ? new Undefined('No caller defined') : caller);
      }
      if (kwargsId) env.set(kwargsId, Dict.of([...kw].map(([name, value]) => [str(name), value])));
      else if (kw.has('caller')) fail(`macro '${node.name}' was invoked with two values for the special caller argument. This is most likely a bug.`);
      else for (const name of kw.keys()) fail(`macro '${node.name}' takes no keyword argument '${name}'`);
      if (varargsId) env.set(varargsId, new Tuple(args.slice(names.length)));
      else if (args.length > names.length) fail(`macro '${node.name}' takes not more than ${names.length} argument(s)`);
      outer.rt.meter.deeper();
      enter(own, env);
      names.forEach((name, i) => {
        if (env.get(ids[i]!) !== undefined) return;
        const value = defaults[i - names.length + defaults.length];
        env.set(ids[i]!, value ? value(env) : new Undefined(`parameter '${name}' was not provided`));
      });
      const written = captured(body, env);
      outer.rt.meter.depth--;
      return written;
    };
    return (env) => {
      const facts: Record<string, Value> = { arguments: new Tuple(names.map(str)), catch_kwargs: !!kwargsId, catch_varargs: !!varargsId, caller: wanted.has('caller'), name: node.name === undefined ? null : str(node.name) };
      const macro = new Obj(() => str(`<Macro ${node.name === undefined ? 'anonymous' : `'${node.name}'`}>`), (name) => (Object.hasOwn(facts, name) ? facts[name] : undefined));
      macro.call = (args, kw) => call(env, args, kw);
      return macro;
    };
  }

  private defineMacro(node: MacroNode, frame: Frame): Exec {
    const make = this.macro(node, frame);
    const store = this.store({ type: 'Name', name: node.name!, ctx: 'store' }, frame);
    return (env) => store(env, make(env));
  }

  expr(node: Expr, frame: Frame): Eval {
    switch (node.type) {
      case 'Const': return () => node.value;
      case 'Data': return () => str(node.text);
      case 'Name': return this.name(node.name, frame);
      case 'Tuple': return this.many(node.items, frame, (items) => new Tuple(items));
      case 'List': return this.many(node.items, frame, (items) => items);
      case 'Dict': return this.dict(node.items, frame);
      case 'Cond': return this.conditional(node, { ...frame, soft: true });
      case 'Bin': return this.binary(node, frame);
      case 'Unary': {
        const value = this.expr(node.node, frame);
        return node.op === 'not' ? (env) => !truth(value(env)) : (env) => signed(node.op, value(env));
      }
      case 'Compare': return this.compare(node, frame);
      case 'Concat': return this.many(node.nodes, frame, (items) => concatAll(items));
      case 'Getattr': {
        const value = this.expr(node.node, frame);
        return (env) => getattr(value(env), node.attr);
      }
      case 'Getitem': return this.item(node, frame);
      case 'Call': return this.call(node, frame);
      case 'Filter': return this.filter(node, frame);
      case 'Test': {
        const [test, value, given] = [this.function('test', node.name, frame), this.expr(node.node, frame), this.given(node.given, frame)];
        return (env) => applied(test, value(env), given(env));
      }
      default: throw syntax(`${node.type} out of place`);
    }
  }

  private name(name: string, frame: Frame): Eval {
    const id = frame.symbols.find(name)!;
    return (env) => {
      const value = env.get(id);
      return value === undefined ? new Undefined(`'${name}' is undefined`) : value;
    };
  }

  private many(nodes: readonly Expr[], frame: Frame, make: (items: Value[]) => Value): Eval {
    const values = nodes.map((node) => this.expr(node, frame));
    return (env) => {
      spend(values.length);
      return make(values.map((value) => value(env)));
    };
  }

  private dict(pairs: readonly (readonly [Expr, Expr])[], frame: Frame): Eval {
    const compiled = pairs.map(([key, value]) => [this.expr(key, frame), this.expr(value, frame)] as const);
    return (env) => Dict.of(compiled.map(([key, value]) => [key(env), value(env)]));
  }

  private conditional(node: Expr & { type: 'Cond' }, frame: Frame): Eval {
    const [test, yes, no] = [this.expr(node.test, frame), this.expr(node.expr1, frame), node.expr2 && this.expr(node.expr2, frame)];
    return (env) => (truth(test(env)) ? yes(env) : no ? no(env) : new Undefined('the inline if-expression evaluated to false and no else section was defined.'));
  }

  private binary({ op, left, right }: Expr & { type: 'Bin' }, frame: Frame): Eval {
    const [a, b] = [this.expr(left, frame), this.expr(right, frame)];
    if (op !== 'and' && op !== 'or') return (env) => binary(op, a(env), b(env));
    return (env) => {
      const value = a(env);
      return truth(value) === (op === 'or') ? value : b(env);
    };
  }

  private compare({ expr, ops }: Expr & { type: 'Compare' }, frame: Frame): Eval {
    const first = this.expr(expr, frame);
    const rest = ops.map(([op, node]) => [op, this.expr(node, frame)] as const);
    return (env) => {
      let left = first(env);
      for (const [op, node] of rest) {
        const right = node(env);
        spend(1);
        if (!holds(op, left, right)) return false;
        left = right;
      }
      return true;
    };
  }

  private item({ node, arg }: Expr & { type: 'Getitem' }, frame: Frame): Eval {
    const value = this.expr(node, frame);
    if (arg.type !== 'Slice') {
      const key = this.expr(arg, frame);
      return (env) => getitem(value(env), key(env));
    }
    const [start, stop, step] = [arg.start, arg.stop, arg.step].map((part): Eval => (part ? this.expr(part, frame) : () => null)) as [Eval, Eval, Eval];
    const { constant } = this;
    return (env) => {
      const whole = value(env);
      return constant && !sequence(whole) ? new Undefined('no slice') : slice(whole, start(env), stop(env), step(env));
    };
  }

  private given({ args, kwargs, dynArgs, dynKwargs }: Given, frame: Frame): (env: Env) => { args: Value[]; kw: Kw } {
    const [values, named] = [args.map((arg) => this.expr(arg, frame)), kwargs.map(([name, value]) => [name, this.expr(value, frame)] as const)];
    const [more, moreNamed] = [dynArgs && this.expr(dynArgs, frame), dynKwargs && this.expr(dynKwargs, frame)];
    return (env) => {
      const list = values.map((value) => value(env));
      const kw: Kw = new Map(named.map(([name, value]) => [name, value(env)]));
      if (more) list.push(...each(more(env)));
      if (moreNamed) addNamed(kw, moreNamed(env));
      return { args: list, kw };
    };
  }

  call({ node, given }: CallNode, frame: Frame, caller?: Eval): Eval {
    const [callee, all_] = [this.expr(node, frame), this.given(given, frame)];
    return (env) => {
      spend(1);
      const callable = callee(env);
      const { args, kw } = all_(env);
      if (caller) kw.set('caller', caller(env));
      if (callable instanceof Undefined) return callable.fail();
      if (!(callable instanceof Fn || callable instanceof Obj) || !isCallable(callable)) return fail(`'${typeName(callable)}' object is not callable`);
      return callable.call!(args, kw);
    };
  }

  private filter({ node, name, given }: FilterNode, frame: Frame): Eval {
    const [filter, value, all_] = [this.function('filter', name, frame), node ? this.expr(node, frame) : (env: Env) => env.piped, this.given(given, frame)];
    return (env) => applied(filter, value(env), all_(env));
  }

  private find(what: 'filter' | 'test', name: string): Call | undefined {
    return what === 'test' ? find(this.tests, name) : (find(this.filters, name) ?? find(rareFilters.table(), name));
  }

  private named(what: 'filter' | 'test', name: Value): Call {
    const found = name instanceof Str ? this.find(what, name.s) : undefined;
    if (!found) throw unsupported(`No ${what} named ${plain(name).s}.`);
    return found;
  }

  private function(what: 'filter' | 'test', name: string, frame: Frame): Call {
    const found = this.find(what, name);
    if (found) return found;
    const error = unsupported(`No ${what} named '${name}'.`);
    if (!frame.soft) throw error;
    return () => { throw error; };
  }
}

/** Filters that ask for the context keep an expression from being worked out beforehand. */
const ASKING: ReadonlySet<string> = new Set(['map', 'select', 'reject', 'selectattr', 'rejectattr', 'random']);
const isConstant = (node: Expr): boolean => [...all(node)].every((inside) => inside.type !== 'Name' && inside.type !== 'Call' && !(inside.type === 'Filter' && ASKING.has(inside.name)));

function applied(apply: Call, value: Value, { args, kw }: { args: Value[]; kw: Kw }): Value {
  spend(1);
  return apply([value, ...args], kw);
}

function addNamed(kw: Kw, more: Value): void {
  if (!(more instanceof Dict)) return fail('argument after ** must be a mapping');
  for (const [key, value] of more.pairs()) {
    if (!(key instanceof Str)) fail('keywords must be strings');
    const name = (key as Str).s;
    if (kw.has(name)) fail(`got multiple values for keyword argument '${name}'`);
    kw.set(name, value);
  }
}

function holds(op: string, a: Value, b: Value): boolean {
  switch (op) {
    case '==': return equal(a, b);
    case '!=': return !equal(a, b);
    case 'in': return contains(b, a);
    case 'not in': return !contains(b, a);
  }
  const sign = order(a, b, op);
  return op === '<' ? sign < 0 : op === '<=' ? sign <= 0 : op === '>' ? sign > 0 : sign >= 0;
}

function unpack(value: Value, count: number): Value[] {
  const items: Value[] = [];
  const iterator = iterate(value);
  while (items.length <= count) {
    const step = iterator.next();
    if (step.done) break;
    items.push(step.value);
  }
  if (items.length === count) return items;
  return fail(items.length < count ? `not enough values to unpack (expected ${count}, got ${items.length})` : `too many values to unpack (expected ${count})`);
}

function concatAll(items: readonly Value[]): Str {
  const markup = meter().autoescape && items.some((item) => item instanceof Str && item.safe);
  return markup ? concat(items.map(escapeHtml)).as(true) : concat(items.map(plain)).as(false);
}

function checkNamespace(target: Target, frame: Frame, env: Env): void {
  for (const node of all(target)) if (node.type === 'NSRef' && !(env.get(frame.symbols.find(node.name)!) instanceof Namespace)) fail('cannot assign attribute on non-namespace object');
}
