import { PatternError, type Node } from './regex-parser.js';
import type { CodeSet } from './code-set.js';

/**
 * A pattern as a graph of states, and what must be known at a place of the text to walk through it without ever going back.
 *
 * A *fact* is a truth about a place: "from this state, what follows can be matched to the end of its scope". Scopes are the whole
 * pattern, each look-ahead, each atomic group. All facts of a place follow from those of the place behind it and from its character,
 * so one pass from the end of the text to its beginning gives them all, and since they are finitely many bits, that pass
 * is a finite automaton. A walk from the left then takes at each branch the first way whose fact holds: that is the match
 * that a backtracking engine prefers. (Frisch and Cardelli 2004, Greedy regular expression matching.)
 */
export interface Program {
  /** States: their kind, what follows, what decides. */
  states: readonly State[];
  start: number;
  /** The fact that a match begins here. */
  startFact: number;
  /** In an order in which each needs only those before it, and those of the next place. */
  facts: readonly Fact[];
  /** The fact that lets a walk take a branch's first way, by state. */
  choices: readonly number[];
  /** The sets of characters, by number. */
  sets: readonly CodeSet[];
  /** What must have come before: run from left to right, before all else. */
  behinds: readonly Behind[];
}

export type State =
  | { kind: 'char'; set: number; next: number }
  | { kind: 'branch'; first: number; second: number; scope: number }
  | { kind: 'ahead'; negative: boolean; body: number; scope: number; next: number }
  | { kind: 'behind'; negative: boolean; number: number; next: number }
  /** The end of an atomic group, and what follows in the scope around it. */
  | { kind: 'leave'; scope: number; next: number }
  | { kind: 'end' };

export type Fact =
  | { kind: 'true' }
  /** The character is of the set and the fact holds at the next place. */
  | { kind: 'char'; set: number; after: number }
  | { kind: 'or'; a: number; b: number }
  /** In an atomic group the first way that can leave the group is final. */
  | { kind: 'if'; condition: number; a: number; b: number }
  | { kind: 'and'; condition: number; negative: boolean; a: number }
  | { kind: 'behind'; number: number; negative: boolean; a: number };

/** The states of one look-behind, which end where it must be true. */
export interface Behind {
  start: number;
}

/** An automaton of more states than this costs too much a character. */
const MOST_STATES = 6000;
const MAIN = 0;

/** @throws PatternError for what an automaton cannot follow. */
export function compileProgram(tree: Node): Program {
  const compiler = new Compiler();
  const start = compiler.node(tree, compiler.add({ kind: 'end' }), MAIN);
  const facts = new Facts(compiler.states);
  const startFact = facts.of(start, MAIN);
  const choices = compiler.states.map(() => -1);
  for (const state of compiler.reachable(start)) {
    const found = compiler.states[state]!;
    if (found.kind === 'branch') choices[state] = facts.of(found.first, found.scope);
  }
  return { states: compiler.states, start, startFact, facts: facts.finish(), choices, sets: compiler.sets, behinds: compiler.behinds };
}

class Compiler {
  readonly states: State[] = [];
  readonly sets: CodeSet[] = [];
  readonly behinds: Behind[] = [];
  private scopes = MAIN + 1;
  private readonly setNumbers = new Map<CodeSet | string, number>();

  add(state: State): number {
    if (this.states.length >= MOST_STATES) throw new PatternError(`more than ${MOST_STATES} states`);
    return this.states.push(state) - 1;
  }

  /** The state from which `node` and then `next` is matched. */
  node(node: Node, next: number, scope: number): number {
    return this.both(node, next, next, scope);
  }

  /** The same where it matters whether anything has been taken: `same` follows if nothing was, `moved` if something was. */
  private both(node: Node, same: number, moved: number, scope: number): number {
    switch (node.kind) {
      case 'set':
        return this.add({ kind: 'char', set: this.set(node.set), next: moved });
      case 'sequence':
        return this.sequence(node.parts, same, moved, scope);
      case 'choice':
        return this.choice(node.parts.map((part) => this.both(part, same, moved, scope)), scope);
      case 'repeat':
        return this.repeat(node, same, moved, scope);
      case 'atomic':
        return this.atomic(node.body, same, moved);
      case 'look':
        return node.behind ? this.behind(node.body, node.negative, same) : this.ahead(node.body, node.negative, same);
    }
  }

  private sequence(parts: readonly Node[], same: number, moved: number, scope: number): number {
    let [still, after] = [same, moved];
    for (const part of parts.toReversed()) [still, after] = this.pair(part, still, after, scope);
    return still;
  }

  /** The entries if nothing was taken before the node, and if something was. */
  private pair(node: Node, still: number, after: number, scope: number): [number, number] {
    const first = this.both(node, still, after, scope);
    return [first, still === after ? first : this.both(node, after, after, scope)];
  }

  private choice(ways: readonly number[], scope: number): number {
    if (!ways.length) return this.add({ kind: 'char', set: this.set([]), next: 0 });
    return ways.reduceRight((second, first) => this.add({ kind: 'branch', first, second, scope }));
  }

  private repeat({ body, least, most, lazy }: Node & { kind: 'repeat' }, same: number, moved: number, scope: number): number {
    const fork = (more: number, out: number) => this.add(lazy ? { kind: 'branch', first: out, second: more, scope } : { kind: 'branch', first: more, second: out, scope });
    let [still, after] = most === Infinity ? this.loop(body, same, moved, scope, fork) : [same, moved];
    for (let left = most === Infinity ? 0 : most - least; left > 0; left--) {
      const [first, again] = this.pair(body, still, after, scope);
      still = fork(first, same);
      after = same === moved ? still : fork(again, moved);
    }
    for (let i = 0; i < least; i++) [still, after] = this.pair(body, still, after, scope);
    return still;
  }

  /** A loop's entries if nothing was taken before it, and if something was. An iteration that takes nothing ends it. */
  private loop(body: Node, same: number, moved: number, scope: number, fork: (more: number, out: number) => number): [number, number] {
    const head = fork(-1, moved);
    const enter = (state: number, more: number) => {
      const branch = this.states[state] as State & { kind: 'branch' };
      if (branch.first === -1) branch.first = more;
      else branch.second = more;
    };
    enter(head, this.both(body, moved, head, scope));
    return same === moved ? [head, head] : [fork(this.both(body, same, head, scope), same), head];
  }

  private atomic(body: Node, same: number, moved: number): number {
    const scope = this.scopes++;
    const leave = this.add({ kind: 'leave', scope, next: same });
    return this.both(body, leave, same === moved ? leave : this.add({ kind: 'leave', scope, next: moved }), scope);
  }

  private ahead(body: Node, negative: boolean, next: number): number {
    const scope = this.scopes++;
    const start = this.node(body, this.add({ kind: 'end' }), scope);
    return this.add({ kind: 'ahead', negative, body: start, scope, next });
  }

  private behind(body: Node, negative: boolean, next: number): number {
    checkBehind(body);
    const start = this.node(body, this.add({ kind: 'end' }), this.scopes++);
    return this.add({ kind: 'behind', negative, number: this.behinds.push({ start }) - 1, next });
  }

  private set(set: CodeSet): number {
    const known = this.setNumbers.get(set);
    if (known !== undefined) return known;
    const key = set.join();
    const number = this.setNumbers.get(key) ?? this.sets.push(set) - 1;
    this.setNumbers.set(key, number).set(set, number);
    return number;
  }

  /** The states that a walk may come through. */
  reachable(start: number): Set<number> {
    const seen = new Set([start]);
    for (const at of seen) {
      const state = this.states[at]!;
      if (state.kind === 'branch') seen.add(state.first).add(state.second);
      else if (state.kind !== 'end') seen.add(state.next);
    }
    return seen;
  }
}

/** A look-behind is run from the left, where no more is known of what follows than the next character. */
function checkBehind(node: Node): void {
  if (node.kind === 'atomic') throw new PatternError('an atomic group in a look-behind');
  if (node.kind === 'look' && !node.behind && node.body.kind !== 'set') throw new PatternError('a look-ahead over more than one character in a look-behind');
  if (node.kind === 'sequence' || node.kind === 'choice') node.parts.forEach(checkBehind);
  else if (node.kind === 'repeat') checkBehind(node.body);
}

class Facts {
  private readonly list: Fact[] = [{ kind: 'true' }];
  private readonly known = new Map<number, number>();
  /** Facts of characters, whose `after` is still to be found. */
  private readonly open: { fact: number; state: number; scope: number }[] = [];

  constructor(private readonly states: readonly State[]) {}

  /** The fact that `scope` can be matched to its end from the state. */
  of(state: number, scope: number): number {
    const key = scope * MOST_STATES + state;
    let fact = this.known.get(key);
    if (fact === undefined) this.known.set(key, (fact = this.make(state, scope)));
    return fact;
  }

  private make(at: number, scope: number): number {
    const state = this.states[at]!;
    switch (state.kind) {
      case 'end':
        return 0;
      case 'char': {
        const fact = this.add({ kind: 'char', set: state.set, after: 0 });
        this.open.push({ fact, state: state.next, scope });
        return fact;
      }
      case 'branch':
        return this.branch(state, scope);
      case 'ahead':
        return this.add({ kind: 'and', condition: this.of(state.body, state.scope), negative: state.negative, a: this.of(state.next, scope) });
      case 'behind':
        return this.add({ kind: 'behind', number: state.number, negative: state.negative, a: this.of(state.next, scope) });
      case 'leave':
        return state.scope === scope ? 0 : this.of(state.next, scope);
    }
  }

  private branch({ first, second, scope: own }: State & { kind: 'branch' }, scope: number): number {
    const a = this.of(first, scope);
    const b = this.of(second, scope);
    return own === scope ? this.add({ kind: 'or', a, b }) : this.add({ kind: 'if', condition: this.of(first, own), a, b });
  }

  private add(fact: Fact): number {
    if (this.list.length >= 4 * MOST_STATES) throw new PatternError(`more than ${4 * MOST_STATES} facts`);
    return this.list.push(fact) - 1;
  }

  /** All facts, once those of characters are complete. */
  finish(): readonly Fact[] {
    for (let next = this.open.pop(); next; next = this.open.pop()) (this.list[next.fact] as Fact & { kind: 'char' }).after = this.of(next.state, next.scope);
    return this.list;
  }
}
