import type { EncodeOptions, Tokenizer } from '../../text/types.js';
import type { Script } from './examples.js';

/** Token ids, and which of them are to be predicted. */
export interface TokenizedExample {
  readonly ids: Int32Array;
  /** One byte per id: 1 where it is learnt. */
  readonly lossMask: Uint8Array;
}

/**
 * Ids of a script as generation would have them: the whole text is encoded at once where the ids of what is only read are
 * its beginning, else piece by piece, so that the seam between prompt and answer is always one between tokens.
 */
export function tokenizeExample({ pieces, kind }: Script, tokenizer: Tokenizer, parseSpecial = false): TokenizedExample {
  const options: EncodeOptions = { addSpecial: false, parseSpecial: parseSpecial || kind === 'chat' };
  const encode = ({ text, marks = '' }: Stretch) => tokenizer.encode(text, { ...options, marks });
  const whole = encode(joined(pieces));
  const seams = seamsOf(pieces, whole, encode);
  const parts = seams ? seams.map((seam, i) => whole.subarray(i ? seams[i - 1] : 0, seam)) : pieces.map(encode);
  const start = startOf(kind, parts[0]!, tokenizer);
  const end = kind !== 'chat' && tokenizer.eos !== undefined ? [tokenizer.eos] : [];
  const ids = Int32Array.from([...start, ...parts.flatMap((part) => [...part]), ...end]);
  const lossMask = new Uint8Array(ids.length);
  parts.reduce((at, part, i) => (lossMask.fill(pieces[i]!.inLoss ? 1 : 0, at, at + part.length), at + part.length), start.length);
  lossMask.fill(1, ids.length - end.length);
  return { ids, lossMask };
}

type Stretch = Pick<Script['pieces'][number], 'text' | 'marks'>;

/** Pieces as one: all of them have marks, or none. */
const joined = (pieces: readonly Stretch[]): Stretch => ({ text: pieces.map(({ text }) => text).join(''), marks: pieces.map(({ marks = '' }) => marks).join('') });

/** The special token that a text spells first. */
export function spelledIn(text: string, tokenizer: Tokenizer): string | undefined {
  if (!/[<[]/.test(text)) return undefined;
  const special = tokenizer.encode(text, { addSpecial: false, parseSpecial: true }).find((id) => tokenizer.isSpecial(id));
  const token = special === undefined ? undefined : tokenizer.token(special);
  return token !== undefined && text.includes(token) ? token : undefined;
}

/** Ids up to the end of each piece, if the whole text's ids can be cut there. */
function seamsOf(pieces: readonly Stretch[], whole: Int32Array, encode: (stretch: Stretch) => Int32Array): number[] | undefined {
  const seams: number[] = [];
  for (let i = 1; i < pieces.length; i++) {
    const before = encode(joined(pieces.slice(0, i)));
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

/** Predictions: rows that an example takes. */
export const rowsOf = ({ ids }: TokenizedExample): number => ids.length - 1;

/** A document in examples of at most `rows` predictions, none lost. */
export function cutDocument({ ids, lossMask }: TokenizedExample, rows: number): TokenizedExample[] {
  const parts: TokenizedExample[] = [];
  for (let at = 0; at < ids.length - 1; at += rows) parts.push({ ids: ids.subarray(at, at + rows + 1), lossMask: lossMask.subarray(at, at + rows + 1) });
  return parts;
}
