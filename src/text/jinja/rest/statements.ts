import { type Compiler, enter, type Exec, type Frame, inner, leave, run, syntax, unsupported } from '../compiler.js';
import { fail, meter } from '../meter.js';
import type { BlockNode, CallNode, Expr, FilterNode, Name, Stmt, Target } from '../nodes.js';
import { context, NOTHING, type Parser } from '../parser.js';
import { drain, Out, type Runtime } from '../runtime.js';
import { Reader } from '../scope.js';
import { text } from '../show.js';
import { str } from '../str.js';
import { Fn, Obj, truth } from '../values.js';

/** Tags that need other templates. */
const LOADS = 'extends import from include'.split(' ');
const [, IMPORT, FROM] = LOADS as [string, string, string];

/** {% generation %} marks what an assistant wrote: its text goes through as it is. */
const GENERATION: CallNode = { type: 'Call', node: { type: 'Const', value: null }, given: NOTHING };
const isGeneration = (call: CallNode): boolean => call === GENERATION;

function parseWith(parser: Parser): Stmt {
  const [targets, values]: [Target[], Expr[]] = [[], []];
  while (!parser.is('end')) {
    if (targets.length) parser.expect(',');
    targets.push(context(parser.target(false), 'param'));
    parser.expect('=');
    values.push(parser.expression());
  }
  return { type: 'With', targets, values, body: parser.closed('endwith') };
}

function parseCall(parser: Parser): Stmt {
  const signature = parser.is('(') ? parser.signature() : { args: [], defaults: [] };
  const call = parser.expression();
  if (call.type !== 'Call') return parser.fail('expected call');
  return { type: 'CallBlock', call, macro: { type: 'Macro', name: undefined, ...signature, body: parser.closed('endcall') } };
}

function parsePrint(parser: Parser): Stmt {
  const nodes: Expr[] = [];
  while (!parser.is('end')) {
    if (nodes.length) parser.expect(',');
    nodes.push(parser.expression());
  }
  return { type: 'Output', nodes };
}

function parseBlock(parser: Parser): Stmt {
  const name = parser.name();
  const [scoped, required] = [parser.takeName('scoped'), parser.takeName('required')];
  const body = parser.closed('endblock');
  const blank = (node: Stmt) => node.type === 'Output' && node.nodes.every((inner) => inner.type === 'Data' && !inner.text.trim());
  if (required && !body.every(blank)) parser.fail('Required blocks can only contain comments or whitespace');
  parser.takeName(name);
  return { type: 'Block', name, scoped, required, body };
}

/** Other templates: known as syntax, but there are none. */
function parseLoad(parser: Parser, what: string): Stmt {
  const node = parser.expression();
  const names: Name[] = [];
  if (what === 'include' && parser.takeName('ignore')) parser.expect('name', 'missing');
  if (what === IMPORT) {
    parser.expect('name', 'as');
    names.push(parser.target(true));
  }
  if (what === FROM) {
    parser.expect('name', IMPORT);
    do {
      if (names.length && parser.isName('with', 'without')) break;
      const imported = parser.target(true);
      names.push(parser.takeName('as') ? parser.target(true) : imported);
    } while (parser.take(','));
  }
  if (what !== 'extends' && parser.isName('with', 'without')) {
    parser.next();
    parser.expect('name', 'context');
  }
  return { type: 'Load', what, node, names };
}

export function parseRare(parser: Parser, tag: string): Stmt | undefined {
  switch (tag) {
    case 'call': return parseCall(parser);
    case 'generation': return { type: 'CallBlock', call: GENERATION, macro: { type: 'Macro', name: undefined, args: [], defaults: [], body: parser.closed('endgeneration') } };
    case 'filter': {
      const filter = parser.filters(undefined, true) as FilterNode;
      return { type: 'FilterBlock', body: parser.closed('endfilter'), filter };
    }
    case 'with': return parseWith(parser);
    case 'print': return parsePrint(parser);
    case 'block': return parseBlock(parser);
    case 'autoescape': {
      const value = parser.expression();
      return { type: 'Autoescape', value, body: parser.closed('endautoescape') };
    }
  }
  return LOADS.includes(tag) ? parseLoad(parser, tag) : undefined;
}

function callBlock(compiler: Compiler, { call, macro }: Stmt & { type: 'CallBlock' }, frame: Frame): Exec {
  const make = compiler.macro(macro, frame);
  if (isGeneration(call)) return (env, out) => out.add(text(make(env).call!([], new Map())));
  if (call.given.kwargs.some(([name]) => name === 'caller')) throw syntax('keyword argument repeated: caller');
  const value = compiler.call(call, frame, (env) => make(env));
  return (env, out) => out.add(text(value(env)));
}

function filterBlock(compiler: Compiler, { body, filter }: Stmt & { type: 'FilterBlock' }, frame: Frame): Exec {
  const own = inner(frame);
  new Reader(own.symbols).all([...body, filter]);
  const [compiled, filtered] = [compiler.body(body, own), compiler.expr(filter, own)];
  return function* (env, out) {
    enter(own, env);
    const written = new Out();
    const signal = yield* run(compiled, env, written);
    if (signal) return signal;
    env.piped = written.text();
    out.add(text(filtered(env)));
    leave(own, env);
    return undefined;
  };
}

function withBlock(compiler: Compiler, { targets, values, body }: Stmt & { type: 'With' }, frame: Frame): Exec {
  const own = inner(frame);
  new Reader(own.symbols).all([...targets, ...body]);
  const evaluated = values.map((value) => compiler.expr(value, frame));
  const stores = targets.map((target) => compiler.store(target, own));
  const compiled = compiler.body(body, own);
  return function* (env, out) {
    enter(own, env);
    stores.forEach((store, i) => store(env, evaluated[i]!(env)));
    const signal = yield* run(compiled, env, out);
    leave(own, env);
    return signal;
  };
}

function escaping(compiler: Compiler, { value, body }: Stmt & { type: 'Autoescape' }, frame: Frame): Exec {
  const own = inner(frame);
  new Reader(own.symbols).all([value, ...body]);
  const [wanted, compiled] = [compiler.expr(value, own), compiler.body(body, own)];
  const set = (on: boolean) => (meter().autoescape = on);
  return function* (env, out) {
    enter(own, env);
    const before = meter().autoescape;
    set(truth(wanted(env)));
    const signal = yield* run(compiled, env, out);
    set(before);
    return signal;
  };
}

function showBlock(compiler: Compiler, { name, scoped, required }: BlockNode, frame: Frame): Exec {
  return (env, out) => {
    if (required) fail(`Required block '${name}' not found`);
    const locals = scoped ? new Map([...frame.symbols.locals()].flatMap(([local, id]) => { const value = env.get(id); return value === undefined ? [] : [[local, value] as const]; })) : undefined;
    return env.rt.blocks.get(name)!(locals ? env.rt.derived(locals) : env.rt, out);
  };
}

function otherTemplate(compiler: Compiler, { what, node }: Stmt & { type: 'Load' }, frame: Frame): Exec {
  if (what === 'extends' && !frame.top) throw syntax('cannot use extend from a non top-level scope');
  const name = compiler.expr(node, frame);
  return (env) => {
    name(env);
    throw unsupported(`no loader for this environment specified: {% ${what} %} needs other templates`);
  };
}

export function compileRare(compiler: Compiler, node: Stmt, frame: Frame): Exec {
  switch (node.type) {
    case 'CallBlock': return callBlock(compiler, node, frame);
    case 'FilterBlock': return filterBlock(compiler, node, frame);
    case 'With': return withBlock(compiler, node, frame);
    case 'Autoescape': return escaping(compiler, node, frame);
    case 'Block': return showBlock(compiler, node, frame);
    case 'Load': return otherTemplate(compiler, node, frame);
    default: throw syntax(`${node.type} out of place`);
  }
}

/** `self`: the template's blocks by name. */
export const reference = (rt: Runtime): Obj =>
  new Obj(() => str('<TemplateReference None>'), (name) => {
    const block = rt.blocks.get(name);
    return block && new Fn(name, () => {
      const out = new Out();
      rt.meter.deeper();
      drain(block(rt, out));
      rt.meter.depth--;
      return out.text();
    });
  });

