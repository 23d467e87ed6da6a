import { plain, StonechatError } from '../errors.js';
import type { Candidates } from './candidates.js';
import type { Constraint, Sampler } from './types.js';

const REMEDY = 'See docs/generation.md for what a constraint must do.';

function misbehaves(expected: string, found: string): never {
  throw new StonechatError({ code: 'bad-option', expected: `constraint.${expected}`, found, remedy: REMEDY });
}

/** Runs a constraint as the first step of a chain. A chunk of its own: most programs generate without. */
export class Mask {
  private readonly bits: Uint32Array;
  private logsumexp = 0;

  constructor(
    private readonly constraint: Constraint,
    vocabulary: number,
  ) {
    this.bits = new Uint32Array(Math.ceil(vocabulary / 32));
  }

  get done(): boolean {
    return this.constraint.done;
  }

  /** Drops the ids that must not come next. */
  readonly sampler: Sampler = (candidates) => {
    const told = this.constraint.mask(this.bits.fill(0));
    const kept = candidates.allow(this.bits);
    if (told !== kept) misbehaves(`mask() to return how many ids it allows: ${kept}`, plain(told));
    if (kept === 0) throw deadEnd();
    this.logsumexp = candidates.measure().logsumexp;
  };

  /** What the model gave to all that was allowed together, from the logsumexp of all of its logits. */
  share(candidates: Candidates, logsumexp: number): number {
    return Math.min(1, candidates.exp(this.logsumexp - logsumexp));
  }

  /** Whether the latest mask allows an id. */
  allows(id: number): boolean {
    return ((this.bits[id >>> 5]! >>> (id & 31)) & 1) === 1;
  }

  accept(id: number): void {
    const accepted = this.constraint.accept(id);
    if (accepted !== true) misbehaves('accept() to return true for an id that its mask allows', `${plain(accepted)} for ${id}`);
  }
}

const deadEnd = (): StonechatError =>
  new StonechatError({
    code: 'bad-option',
    expected: 'a constraint that allows at least one token, or is done',
    found: 'that it allows none: a dead end',
    remedy: REMEDY,
  });
