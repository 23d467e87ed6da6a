import { unsupported } from '../files/refuse.js';
import { StringList } from '../files/strings.js';
import type { MetadataValue } from '../files/types.js';
import { spacesMarked } from './huggingface-writer.js';
import { endTokens, ggufLosses, refuseLosses } from './losses.js';
import { familyOf, preName } from './patterns.js';
import { TOKEN, type MergeModel, type TokenizerSpec } from './spec.js';

/**
 * A tokenizer as GGUF metadata, by llama.cpp's rules. `rows`: of the model's embedding, where it has more than there are tokens; llama.cpp
 * wants a token for each. @throws StonechatError `unsupported` for kinds that it has no name for, and unless `force` for what it cannot say.
 */
export function ggufMetadata(given: TokenizerSpec, rows = 0, force = false): Map<string, MetadataValue> {
  const spec = padded(given, rows);
  const { model } = spec;
  if (model.model !== 'merge' || model.writing === 'bytes') throw unsupported('a tokenizer of byte pair encoding', spec.kind, 'Keep the model in the form it has: this kind of tokenizer is only read.');
  refuseLosses('GGUF', ggufLosses(spec), force);
  const own = model.writing === 'alphabet' ? byteLevel(spec, model) : marked(spec, model);
  const { eot, eom } = endTokens(spec);
  const ids = { bos: spec.bos, eos: spec.eos, unknown: spec.unk, eot, eom };
  return new Map<string, MetadataValue>([
    ...own,
    ...Object.entries(ids).flatMap(([name, id]): [string, MetadataValue][] => (id === undefined ? [] : [[`tokenizer.ggml.${name}_token_id`, id]])),
    ['tokenizer.ggml.add_bos_token', spec.before.length > 0],
    ['tokenizer.ggml.add_eos_token', spec.after.length > 0],
    ['tokenizer.ggml.add_space_prefix', spec.prefix.when !== 'never'],
    ...(spec.chatTemplate === undefined ? [] : [['tokenizer.chat_template', spec.chatTemplate] as const]),
  ]);
}

type Entries = [string, MetadataValue][];

function padded(spec: TokenizerSpec, rows: number): TokenizerSpec {
  const missing = Math.max(0, rows - spec.tokens.length);
  const types = new Uint8Array(spec.tokens.length + missing).fill(TOKEN.unused);
  types.set(spec.types);
  return missing === 0 ? spec : { ...spec, tokens: StringList.from([...spec.tokens, ...Array.from({ length: missing }, () => '')]), types };
}

/** Ids without a token get a name of their own, as llama.cpp's converter has it. */
const named = (tokens: Iterable<string>): string[] => Array.from(tokens, (token, id) => token || `[PAD${id}]`);
/** Added tokens that a vocabulary holds are normal ones to the kernels, since merges may form them. */
function typesOf({ tokens, types, unk, added }: TokenizerSpec): Int32Array {
  const own = types.slice();
  for (const { id, special } of added) if (own[id] === TOKEN.normal) own[id] = special ? TOKEN.control : TOKEN.userDefined;
  return Int32Array.from(own, (type, id) => (tokens.starts[id] === tokens.endOf(id) ? TOKEN.unused : id === unk && type === TOKEN.control ? TOKEN.unknown : type));
}

function byteLevel(spec: TokenizerSpec, { merges, ignoreMerges }: MergeModel): Entries {
  const family = familyOf(spec.split.scanner);
  const pre = family && preName(family, ignoreMerges);
  if (pre === undefined || !merges) throw unsupported('a way of splitting words that llama.cpp has a name for', 'another one', 'Convert it with llama.cpp, or keep the form it has.');
  return [
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', pre],
    ['tokenizer.ggml.tokens', named(spec.tokens)],
    ['tokenizer.ggml.token_type', typesOf(spec)],
    ['tokenizer.ggml.merges', Array.from<string | readonly string[], string>(merges, (merge) => (typeof merge === 'string' ? merge : merge.join(' ')))],
  ];
}

/** SentencePiece's way: of two neighbours that form a token, those whose token has the highest score merge first. */
function marked(spec: TokenizerSpec, { merges, scores }: MergeModel): Entries {
  const tokens = spacesMarked(spec);
  const order = merges && new Map(Array.from<string | readonly string[], [string, number]>(merges, (merge, i) => [typeof merge === 'string' ? merge.replace(' ', '') : merge.join(''), i]).reverse());
  const last = order?.size ?? 0;
  const scoreOf = (token: string, id: number) => (order ? -(order.get(token) ?? last) : (scores?.[id] ?? -id));
  return [
    ['tokenizer.ggml.model', 'llama'],
    ['tokenizer.ggml.pre', 'default'],
    ['tokenizer.ggml.tokens', named(tokens)],
    ['tokenizer.ggml.scores', Float32Array.from(tokens, (token, id) => (spec.types[id] === TOKEN.normal ? scoreOf(token, id) : 0))],
    ['tokenizer.ggml.token_type', typesOf(spec)],
  ];
}
