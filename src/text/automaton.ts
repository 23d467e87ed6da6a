import { atOnce, type Turns } from './turns.js';
import { CODES, endsBefore, has, type CodeSet } from './code-set.js';
import type { Fact, Program } from './regex-program.js';

/** Characters that are in the same of some sets form a class. Classes are found page by page, as text asks for them. */
class Classes {
  /** What each class is in: one bit a set. The first class is the end of the text, which is in none. */
  readonly members: Uint8Array[];
  private readonly pages: (Uint16Array | undefined)[] = [];
  /** From a class of the first n sets to that of n + 1, by twice the class plus membership. */
  private readonly steps: Map<number, number>[];

  constructor(private readonly sets: readonly CodeSet[]) {
    this.members = [new Uint8Array(sets.length)];
    this.steps = sets.map(() => new Map<number, number>());
  }

  page(number: number): Uint16Array {
    return (this.pages[number] ??= this.makePage(number));
  }

  /** The class of the character that begins at a place with this unit, -1 in the middle of a pair. */
  at(text: string, at: number, unit: number): number {
    let code = unit;
    if (unit >= 0xd800 && unit < 0xe000) {
      if (isTail(text, at, unit)) return -1;
      code = codeAt(text, at);
    }
    return this.page(code >> 8)[code & 255]!;
  }

  private makePage(number: number): Uint16Array {
    const [from, to] = [number * 256, number * 256 + 256];
    const classes = new Uint16Array(256);
    const nodes = new Array<number>(256).fill(0);
    this.sets.forEach((set, i) => {
      for (let code = from; code < to; ) {
        const ends = endsBefore(set, code);
        const stop = Math.min(to, set[ends] ?? CODES);
        for (let at = code; at < stop; at++) nodes[at - from] = this.step(i, nodes[at - from]! * 2 + (ends & 1));
        code = stop;
      }
    });
    nodes.forEach((node, i) => (classes[i] = this.classOf(node, from + i)));
    return classes;
  }

  private step(set: number, key: number): number {
    const map = this.steps[set]!;
    let node = map.get(key);
    if (node === undefined) map.set(key, (node = map.size));
    return node;
  }

  /** Classes by the number of their last step, 0 being the end of the text. */
  private classOf(node: number, code: number): number {
    const found = this.sets.length ? node + 1 : 1;
    this.members[found] ??= Uint8Array.from(this.sets, (set) => (has(set, code) ? 1 : 0));
    return found;
  }
}

/** Places that are kept known at once: texts up to this length are read from their end only once. */
const BLOCK = 1 << 14;
/** An automaton of more states than this is forgotten and begun anew at the end of a block. */
const MOST_STATES = 1 << 12;
/** Walks are remembered for patterns of up to so many states. */
const MOST_ORIGINS = 1 << 10;
const REPLACEMENT = 0xfffd;

/** What has come before a place: truths of look-behinds. A machine from left to right whose output they are. */
class BehindMachine {
  private readonly kernels: number[][] = [];
  private kernelNumbers = new Map<string, number>();
  /** By kernel, then class: 2 numbers, the output and the next kernel. */
  private transitions: (readonly [number, number] | undefined)[][] = [];
  readonly outputs: Uint8Array[] = [];
  private readonly outputNumbers = new Map<string, number>();

  constructor(private readonly program: Program, private readonly classes: Classes) {}

  /** The number of the truths at each place, in UTF-16 units, the end included. */
  *run(text: string): Turns<Uint16Array> {
    const found = new Uint16Array(text.length + 1);
    let kernel = this.kernel([]);
    for (let at = 0; at <= text.length; ) {
      const code = at < text.length ? codeAt(text, at) : -1;
      const kind = code < 0 ? 0 : this.classes.page(code >> 8)[code & 255]!;
      const [output, next] = (this.transitions[kernel]![kind] ??= this.advance(kernel, kind));
      found[at] = output;
      if (code > 0xffff) found[at + 1] = output;
      at += code > 0xffff ? 2 : 1;
      kernel = next;
      if ((at & (BLOCK - 1)) < 2) {
        const states = this.kernels[kernel]!;
        yield 0;
        kernel = this.kernel(states); // another text may have made it forget
      }
      if (this.kernels.length > MOST_STATES) kernel = this.forget(kernel);
    }
    return found;
  }

  private forget(kernel: number): number {
    const states = this.kernels[kernel]!;
    this.kernels.length = this.transitions.length = 0;
    this.kernelNumbers.clear();
    return this.kernel(states);
  }

  private kernel(states: readonly number[]): number {
    const sorted = states.toSorted((a, b) => a - b);
    const key = sorted.join();
    let number = this.kernelNumbers.get(key);
    if (number === undefined) {
      this.kernelNumbers.set(key, (number = this.kernels.push(sorted) - 1));
      this.transitions.push([]);
    }
    return number;
  }

  /** All states that hold at a place, given those that the last character led to and the next character's class. */
  private advance(kernel: number, kind: number): [number, number] {
    const { states, behinds } = this.program;
    const member = this.classes.members[kind]!;
    const truths = new Uint8Array(behinds.length);
    const seen = new Set<number>();
    const next = new Set<number>();
    const reach = (at: number, number: number): void => {
      const state = states[at]!;
      if (state.kind === 'end') truths[number] = 1;
      if (seen.has(at)) return;
      seen.add(at);
      if (state.kind === 'branch') [state.first, state.second].forEach((way) => reach(way, number));
      else if (state.kind === 'char' && member[state.set]) next.add(state.next * behinds.length + number);
      else if (state.kind === 'behind' && (truths[state.number] === 1) !== state.negative) reach(state.next, number);
      else if (state.kind === 'ahead') {
        const body = states[state.body]!;
        if ((body.kind === 'char' && member[body.set] === 1) !== state.negative) reach(state.next, number);
      }
    };
    // Inner look-behinds have lower numbers: each is decided before another asks.
    const kept = this.kernels[kernel]!;
    behinds.forEach(({ start }, number) => {
      for (const one of kept) if (one % behinds.length === number) reach((one - number) / behinds.length, number);
      reach(start, number);
    });
    return [this.output(truths), this.kernel([...next])];
  }

  private output(truths: Uint8Array): number {
    const key = truths.join('');
    let number = this.outputNumbers.get(key);
    if (number === undefined) {
      if (this.outputs.length > 0xffff) throw new RangeError('more than 65,536 combinations of look-behinds');
      this.outputNumbers.set(key, (number = this.outputs.push(truths) - 1));
    }
    return number;
  }
}

/** The code point at a place; half of a surrogate pair alone is what UTF-8 would make of it. */
function codeAt(text: string, at: number): number {
  const code = text.codePointAt(at)!;
  return code >= 0xd800 && code < 0xe000 ? REPLACEMENT : code;
}

const OP = { true: 0, char: 1, or: 2, if: 3, and: 4, andNot: 5, behind: 6, notBehind: 7 } as const;

/** Facts as numbers, four each. */
function encodeFacts(facts: readonly Fact[]): Int32Array {
  const code = new Int32Array(facts.length * 4);
  facts.forEach((fact, i) => {
    if (fact.kind === 'char') code.set([OP.char, fact.set, fact.after], i * 4);
    else if (fact.kind === 'or') code.set([OP.or, fact.a, fact.b], i * 4);
    else if (fact.kind === 'if') code.set([OP.if, fact.condition, fact.a, fact.b], i * 4);
    else if (fact.kind === 'and') code.set([fact.negative ? OP.andNot : OP.and, fact.condition, fact.a], i * 4);
    else if (fact.kind === 'behind') code.set([fact.negative ? OP.notBehind : OP.behind, fact.number, fact.a], i * 4);
  });
  return code;
}

/** A machine from right to left: its states are the truths of all facts at a place. Grown as texts ask for it. */
class FactMachine {
  /** Truths of each state, 32 to a word. */
  readonly vectors: Uint32Array[] = [];
  /** By state: does a match begin here? */
  readonly starts: number[] = [];
  /** By state, then symbol: the state one character to the left, -1 while unknown. */
  table = new Int32Array(0);
  shift = 4;
  private readonly numbers = new Map<string, number>();
  private readonly code: Int32Array;
  private readonly count: number;
  /** A symbol is a class and what look-behinds say. */
  private readonly symbols: { kind: number; output: number }[] = [];
  private readonly symbolNumbers: number[][] = [];

  constructor(private readonly program: Program, private readonly members: readonly Uint8Array[], private readonly outputs: readonly Uint8Array[]) {
    this.code = encodeFacts(program.facts);
    this.count = program.facts.length;
  }

  /** Without look-behinds a symbol is a class. */
  symbol(kind: number, output: number): number {
    if (!this.outputs.length) return kind;
    const known = (this.symbolNumbers[output] ??= []);
    return (known[kind] ??= this.symbols.push({ kind, output }) - 1);
  }

  forget(): void {
    this.vectors.length = this.starts.length = 0;
    this.numbers.clear();
    this.table.fill(-1);
  }

  number(vector: Uint32Array): number {
    const key = keyOf(vector);
    let number = this.numbers.get(key);
    if (number === undefined) {
      this.numbers.set(key, (number = this.vectors.push(vector) - 1));
      this.starts.push(bit(vector, this.program.startFact));
      if (this.vectors.length << this.shift > this.table.length) this.grow(0);
    }
    return number;
  }

  /** The state one character to the left. */
  step(state: number, symbol: number): number {
    if (symbol >> this.shift) this.grow(symbol);
    const at = (state << this.shift) | symbol;
    if (this.table[at] === -1) {
      const next = this.number(this.truths(this.vectors[state]!, symbol));
      this.table[at] = next;
    }
    return this.table[at]!;
  }

  /** The state at the end of the text, where no character is. */
  last(symbol: number): number {
    return this.number(this.truths(new Uint32Array((this.count + 31) >> 5), symbol));
  }

  private grow(symbol: number): void {
    const old = { table: this.table, shift: this.shift };
    while (symbol >> this.shift) this.shift++;
    const rows = Math.max(64, this.vectors.length * 2);
    this.table = new Int32Array(rows << this.shift).fill(-1);
    for (let row = 0; row << old.shift < old.table.length && row < rows; row++) {
      this.table.set(old.table.subarray(row << old.shift, (row + 1) << old.shift), row << this.shift);
    }
  }

  private truths(after: Uint32Array, symbol: number): Uint32Array {
    const { kind, output } = this.symbols[symbol] ?? { kind: symbol, output: 0 };
    const member = this.members[kind]!;
    const behind = this.outputs[output];
    const { code } = this;
    const now = new Uint32Array(after.length);
    for (let i = 0, at = 0; i < this.count; i++, at += 4) {
      const [a, b] = [code[at + 1]!, code[at + 2]!];
      let truth: number;
      switch (code[at]) {
        case OP.char: truth = member[a]! & bit(after, b); break;
        case OP.or: truth = bit(now, a) | bit(now, b); break;
        case OP.if: truth = bit(now, a) ? bit(now, b) : bit(now, code[at + 3]!); break;
        case OP.and: truth = bit(now, a) & bit(now, b); break;
        case OP.andNot: truth = (bit(now, a) ^ 1) & bit(now, b); break;
        case OP.behind: truth = behind![a]! & bit(now, b); break;
        case OP.notBehind: truth = (behind![a]! ^ 1) & bit(now, b); break;
        default: truth = 1;
      }
      now[i >> 5]! |= truth << (i & 31);
    }
    return now;
  }
}

const bit = (vector: Uint32Array, i: number): number => (vector[i >> 5]! >>> (i & 31)) & 1;
const keyOf = (vector: Uint32Array): string => String.fromCharCode(...new Uint16Array(vector.buffer));

/** A walk's end: the match is whole. */
const END = -1;

/**
 * Finds all matches of a pattern in time that grows with the text alone (see regex-program.ts): the truths of all places from
 * the end to the beginning, then a walk from left to right. Longer texts are read from their end twice, so that memory stays small.
 */
export class Automaton {
  private readonly classes: Classes;
  private readonly behind: BehindMachine | undefined;
  private readonly machine: FactMachine;
  private readonly places = new Int32Array(BLOCK + 1);
  /** By state of the machine, then origin: the character state that a walk comes to, two more than its number; 1 is the end, 0 unknown. */
  private walks: Int32Array[] = [];
  /** Places in the pattern from where walks go on: the start, and what follows each character. */
  private readonly origins: number[];
  private readonly originOf: Int32Array;

  constructor(private readonly program: Program) {
    this.classes = new Classes(program.sets);
    this.behind = program.behinds.length ? new BehindMachine(program, this.classes) : undefined;
    if (this.behind) atOnce(this.behind.run(''));
    this.machine = new FactMachine(program, this.classes.members, this.behind?.outputs ?? []);
    const after = program.states.map((state) => (state.kind === 'char' ? state.next : -1));
    this.origins = [...new Set([program.start, ...after.filter((state) => state >= 0)])];
    const numbers = new Map(this.origins.map((state, i) => [state, i]));
    this.originOf = Int32Array.from(after, (state) => numbers.get(state) ?? 0);
  }

  /** Beginnings and ends of the matches in UTF-16 units, as Rust's find_iter gives them: no empty match where the last one ended. */
  spans(text: string): number[] {
    return atOnce(this.spansInTurns(text));
  }

  /** The same, block by block. Behind each turn a block is read anew, since another text may have been searched. */
  *spansInTurns(text: string): Turns<number[]> {
    const behind = this.behind && (yield* this.behind.run(text));
    const marks = yield* this.marks(text, behind);
    const out: number[] = [];
    let [block, from, lastEnd] = [0, 0, -1];
    this.read(text, behind, 0, marks[0]);
    const enter = (next: number) => {
      [block, from] = [next, next * BLOCK];
      this.read(text, behind, block, marks[block]);
    };
    for (let at = 0; at <= text.length; ) {
      if (at >= from + BLOCK) {
        yield at;
        enter(block + 1);
      }
      const place = this.places[at - from]!;
      if (!this.machine.starts[place]) {
        at += length(text, at);
        continue;
      }
      let end = at;
      for (let state = this.walk(place, 0); state !== END; ) {
        end += length(text, end);
        if (end > from + BLOCK) enter(block + 1);
        const row = this.walks[this.places[end - from]!];
        const known = row ? row[this.originOf[state]!]! : 0;
        state = known ? known - 2 : this.walk(this.places[end - from]!, this.originOf[state]!);
      }
      if (end > at || end !== lastEnd) out.push(at, end);
      lastEnd = end;
      at = end > at ? end : end + length(text, end);
    }
    return out;
  }

  /** What is true where each block ends, but for the last: read from the end of the text. */
  private *marks(text: string, behind: Uint16Array | undefined): Turns<(Uint32Array | undefined)[]> {
    const marks: (Uint32Array | undefined)[] = [undefined];
    const last = Math.floor(text.length / BLOCK);
    for (let block = last; block > 0; block--) {
      this.read(text, behind, block, marks.at(-1));
      marks.push(this.machine.vectors[this.places[0]!]);
      yield 0;
    }
    return marks.reverse();
  }

  /** Fills `places` with the machine's states from the block's beginning to where the next one begins. `mark`: the truths there, if it is not the last. */
  private read(text: string, behind: Uint16Array | undefined, block: number, mark: Uint32Array | undefined): void {
    if (this.machine.vectors.length > MOST_STATES) {
      this.machine.forget();
      this.walks = [];
    }
    const from = block * BLOCK;
    const to = mark ? from + BLOCK : text.length;
    const { machine, places, classes } = this;
    const latin = classes.page(0);
    let state = mark ? machine.number(mark) : machine.last(machine.symbol(0, behind ? behind[to]! : 0));
    places[to - from] = state;
    for (let at = to - 1; at >= from; at--) {
      const unit = text.charCodeAt(at);
      const kind = unit < 256 ? latin[unit]! : classes.at(text, at, unit);
      if (kind >= 0) {
        const sign = behind ? machine.symbol(kind, behind[at]!) : kind;
        const known = sign >> machine.shift ? -1 : machine.table[(state << machine.shift) | sign]!;
        state = known < 0 ? machine.step(state, sign) : known;
      }
      places[at - from] = state;
    }
  }

  /** The next character state from an origin, by the truths at a place; END where the match is whole. */
  private walk(place: number, origin: number): number {
    if (this.origins.length > MOST_ORIGINS) return this.findWalk(place, origin);
    const row = (this.walks[place] ??= new Int32Array(this.origins.length));
    const found = this.findWalk(place, origin);
    row[origin] = found + 2;
    return found;
  }

  private findWalk(place: number, origin: number): number {
    const { states, choices } = this.program;
    const truths = this.machine.vectors[place]!;
    for (let at = this.origins[origin]!; ; ) {
      const state = states[at]!;
      if (state.kind === 'char') return at;
      if (state.kind === 'end') return END;
      if (state.kind === 'branch') at = bit(truths, choices[at]!) ? state.first : state.second;
      else at = state.next;
    }
  }
}

/** UTF-16 units of the character at a place, 1 at the end of the text. */
const length = (text: string, at: number): number => ((text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00 ? 2 : 1);

/** The second half of a surrogate pair. */
const isTail = (text: string, at: number, unit: number): boolean => (unit & 0xfc00) === 0xdc00 && at > 0 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800;
