import type { EncodeOptions, Tokenizer } from '../text/types.js';
import type { Script } from './examples.js';

/** Token ids, and which of them are to be predicted. */
export interface Exercise {
  readonly ids: Int32Array;
  /** One byte per id: 1 where it is learnt. */
  readonly learnt: Uint8Array;
}

/**
 * Ids of a script as generation would have them: the whole text is encoded at once where the ids of what is only read are
 * its beginning, else piece by piece, so that the seam between prompt and answer is always one between tokens.
 */
export function exerciseOf({ pieces, kind }: Script, tokenizer: Tokenizer): Exercise {
  const options: EncodeOptions = { addSpecial: false, parseSpecial: kind === 'chat' };
  const encode = (text: string) => tokenizer.encode(text, options);
  const whole = encode(pieces.map(({ text }) => text).join(''));
  const seams = seamsOf(pieces.map(({ text }) => text), whole, encode);
  const parts = seams ? seams.map((seam, i) => whole.subarray(i ? seams[i - 1] : 0, seam)) : pieces.map(({ text }) => encode(text));
  const start = startOf(kind, parts[0]!, tokenizer);
  const end = kind !== 'chat' && tokenizer.eos !== undefined ? [tokenizer.eos] : [];
  const ids = Int32Array.from([...start, ...parts.flatMap((part) => [...part]), ...end]);
  const learnt = new Uint8Array(ids.length);
  parts.reduce((at, part, i) => (learnt.fill(pieces[i]!.learnt ? 1 : 0, at, at + part.length), at + part.length), start.length);
  learnt.fill(1, ids.length - end.length);
  return { ids, learnt };
}

/** Ids up to the end of each piece, if the whole text's ids can be cut there. */
function seamsOf(texts: readonly string[], whole: Int32Array, encode: (text: string) => Int32Array): number[] | undefined {
  const seams: number[] = [];
  let text = '';
  for (const piece of texts.slice(0, -1)) {
    const before = encode((text += piece));
    if (before.some((id, i) => id !== whole[i])) return undefined;
    seams.push(before.length);
  }
  return [...seams, whole.length];
}

/** Before a document: what stands there in training. Otherwise what generation puts before a prompt. */
function startOf(kind: Script['kind'], first: Int32Array, tokenizer: Tokenizer): number[] {
  const { bos, eos } = tokenizer;
  if (kind === 'document') return [bos ?? eos].filter((id) => id !== undefined);
  const added = bos !== undefined && tokenizer.encode('', { addSpecial: true })[0] === bos;
  return added && first[0] !== bos ? [bos] : [];
}

/** Predictions: rows that an exercise takes. */
export const rowsOf = ({ ids }: Exercise): number => ids.length - 1;

/** A document in exercises of at most `rows` predictions, none lost. */
export function cutDocument({ ids, learnt }: Exercise, rows: number): Exercise[] {
  const parts: Exercise[] = [];
  for (let at = 0; at < ids.length - 1; at += rows) parts.push({ ids: ids.subarray(at, at + rows + 1), learnt: learnt.subarray(at, at + rows + 1) });
  return parts;
}
