import { unsupported } from '../files/refuse.js';
import { isStopName } from './special.js';
import type { TokenizerSpec } from './spec.js';

/** Normalizers that a folder can be given by their names alone. */
export const PLAIN_NORMALIZERS: readonly string[] = ['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt'];

/** What GGUF has no word for, by its names in the file. */
export function ggufLosses(spec: TokenizerSpec): string[] {
  return [...(spec.beyond ?? []), ...prefixLosses(spec), ...flagLosses(spec), ...aroundLosses(spec), ...endLosses(spec)];
}

/** What tokenizer.json could say, but nobody here writes. */
export function folderLosses({ beyond = [] }: TokenizerSpec): string[] {
  return beyond.filter((name) => !PLAIN_NORMALIZERS.some((one) => name === `normalizer ${one}`));
}

/** @throws StonechatError `unsupported` naming all that is lost. */
export function refuseLosses(form: string, losses: readonly string[], force: boolean): void {
  if (force || !losses.length) return;
  throw unsupported(`a tokenizer that ${form} can say`, losses.join('; '), 'Keep the form it has, or leave these out: the option force (--force).');
}

/** SentencePiece in GGUF puts a space before every stretch of text; byte-level vocabularies there, whether there is one or not. */
function prefixLosses({ prefix, model }: TokenizerSpec): string[] {
  if (prefix.when === 'never' || !prefix.unlessSpace || model.model !== 'merge') return [];
  return [model.writing === 'marked' ? `prepend_scheme ${prefix.when}` : 'add_prefix_space'];
}

function flagLosses({ added, beyond = [], model }: TokenizerSpec): string[] {
  const normalizes = beyond.some((name) => name.startsWith('normalizer')) || (model.model === 'merge' && model.writing === 'marked');
  return added.flatMap(({ content, lstrip, rstrip, singleWord, normalized, special }) => {
    const flags = Object.entries({ lstrip, rstrip, single_word: singleWord, normalized: normalized && normalizes && !special });
    return flags.flatMap(([flag, on]) => (on ? [`${flag} of ${JSON.stringify(content)}`] : []));
  });
}

const same = (ids: readonly number[], one: number | undefined): boolean => ids.length === 0 || (ids.length === 1 && ids[0] === one);

function aroundLosses({ before, after, bos, eos, tokens }: TokenizerSpec): string[] {
  const names = (ids: readonly number[]) => ids.map((id) => JSON.stringify(tokens.at(id))).join(' ');
  return [...(same(before, bos) ? [] : [`${names(before)} before a text`]), ...(same(after, eos) ? [] : [`${names(after)} after a text`])];
}

/** Beside EOS there are two keys; tokens with the usual names are found without. */
export function endTokens({ stop = [], eos, added }: TokenizerSpec): { eot?: number; eom?: number; lost: number[] } {
  const others = [...new Set(stop)].filter((id) => id !== eos);
  const known = (id: number) => added.some((token) => token.id === id && token.special && isStopName(token.content));
  const [eot, eom, ...rest] = [...others.filter((id) => !known(id)), ...others.filter(known)];
  return { ...(eot === undefined ? {} : { eot }), ...(eom === undefined ? {} : { eom }), lost: rest.filter((id) => !known(id)) };
}

const endLosses = (spec: TokenizerSpec): string[] => endTokens(spec).lost.map((id) => `end token ${JSON.stringify(spec.tokens.at(id))}`);
