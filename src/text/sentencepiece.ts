import { StonechatError } from '../errors.js';
import { StringList } from '../files/strings.js';
import { charsmap } from './charsmap.js';
import { mergeSpaces } from './normalise.js';
import { TOKEN, type AddedToken, type TokenizerSpec } from './spec.js';
import { AT_SPACES, marking } from './split.js';

/**
 * A SentencePiece model (`tokenizer.model`): the protobuf message ModelProto, of which this reads
 *   1 pieces (1 text, 2 score, 3 type), 2 trainer_spec (3 model_type, 24 suffix, 40-42 ids), 3 normalizer_spec (2 map, 3-5 spaces).
 * BPE and Unigram. @throws StonechatError `bad-file`, `unsupported`.
 */
export function specFromSentencePiece(bytes: Uint8Array): TokenizerSpec {
  const proto = readModel(bytes);
  const { pieces, modelType, normalizer } = proto;
  const valid = (id: number) => (id >= 0 && id < pieces.length ? id : undefined);
  const [unk, bos, eos] = [valid(proto.unk), valid(proto.bos), valid(proto.eos)];
  const tokens = StringList.from(pieces.map(({ text }) => text));
  const types = Uint8Array.from(pieces, ({ text, type }) => (type === TOKEN.byte && !/^<0x[0-9A-Fa-f]{2}>$/.test(text) ? TOKEN.normal : type));
  const scores = Float32Array.from(pieces, ({ score }) => score);
  const unigram = modelType === 1;
  if (!unigram && modelType !== 2) throw unsupported('a SentencePiece model of type unigram or bpe', `type ${modelType}`);
  if (proto.suffix) throw unsupported('a space mark in front of words', 'treat_whitespace_as_suffix');
  return {
    kind: unigram ? 'unigram' : 'spm',
    tokens,
    types,
    added: addedPieces(pieces, types),
    beyond: [...(normalizer.map.length ? ['precompiled_charsmap'] : []), ...(normalizer.merge ? ['remove_extra_whitespaces'] : [])],
    normalise: [...(normalizer.map.length ? [charsmap(normalizer.map)] : []), ...(normalizer.merge ? [mergeSpaces] : [])],
    ...(unigram
      ? unigramParts(scores, types, normalizer.prefix)
      : {
          prefix: { when: normalizer.prefix ? ('always' as const) : ('never' as const) },
          split: AT_SPACES,
          model: { model: 'merge' as const, symbols: 'characters' as const, writing: 'marked' as const, scores, ignoreMerges: false, fuseUnknown: true },
        }),
    before: !unigram && bos !== undefined ? [bos] : [],
    after: unigram && bos === undefined && eos !== undefined ? [eos] : [],
    ...(bos === undefined ? {} : { bos }),
    ...(eos === undefined ? {} : { eos }),
    ...(unk === undefined ? {} : { unk }),
    dropLeadingSpace: normalizer.prefix,
  };
}

/** Is it a message whose fields are those of a ModelProto, with pieces in front that have a text? */
export function isSentencePiece(bytes: Uint8Array): boolean {
  let pieces = 0;
  try {
    readMessage(bytes, (field, value) => {
      if (field === 1 && pieces++ === 0 && !readPiece(asBytes(value)).text) throw malformed('a piece without text');
      if (field === 0 || (field <= 5 && typeof value === 'bigint')) throw malformed(`field ${field}`);
    });
  } catch {
    return false;
  }
  return pieces > 0;
}

function unigramParts(scores: Float32Array, types: Uint8Array, prefix: boolean) {
  return {
    prefix: { when: prefix ? ('always' as const) : ('never' as const) },
    split: { steps: [marking(() => '')] },
    model: { model: 'unigram' as const, scores, byteFallback: types.includes(TOKEN.byte) },
  };
}

function addedPieces(pieces: ModelProto['pieces'], types: Uint8Array): AddedToken[] {
  return pieces.flatMap(({ text: token }, id) => {
    const type = types[id];
    if (type !== TOKEN.control && type !== TOKEN.unknown && type !== TOKEN.userDefined) return [];
    const content = type === TOKEN.userDefined ? token.replaceAll('\u2581', ' ') : token;
    return [{ id, content, special: type !== TOKEN.userDefined, lstrip: false, rstrip: false, singleWord: false, normalized: false }];
  });
}

interface ModelProto {
  pieces: { text: string; score: number; type: number }[];
  modelType: number;
  /** treat_whitespace_as_suffix */
  suffix: boolean;
  unk: number;
  bos: number;
  eos: number;
  normalizer: { map: Uint8Array; prefix: boolean; merge: boolean };
}

function readModel(bytes: Uint8Array): ModelProto {
  const model: ModelProto = { pieces: [], modelType: 1, suffix: false, unk: 0, bos: 1, eos: 2, normalizer: { map: new Uint8Array(0), prefix: true, merge: true } };
  readMessage(bytes, (field, value) => {
    if (field === 1) model.pieces.push(readPiece(asBytes(value)));
    else if (field === 2) readTrainer(asBytes(value), model);
    else if (field === 3) readNormalizer(asBytes(value), model.normalizer);
  });
  if (!model.pieces.length) throw malformed('no pieces');
  return model;
}

const text = new TextDecoder('utf-8', { ignoreBOM: true });

function readPiece(bytes: Uint8Array): ModelProto['pieces'][number] {
  const piece: ModelProto['pieces'][number] = { text: '', score: 0, type: TOKEN.normal };
  readMessage(bytes, (field, value) => {
    if (field === 1) piece.text = text.decode(asBytes(value));
    else if (field === 2) piece.score = new DataView(asBytes(value).slice().buffer).getFloat32(0, true);
    else if (field === 3) piece.type = Number(value);
  });
  if (!(piece.type >= 1 && piece.type <= 6)) throw malformed(`piece type ${piece.type}`);
  return piece;
}

function readTrainer(bytes: Uint8Array, model: ModelProto): void {
  readMessage(bytes, (field, value) => {
    if (field === 3) model.modelType = Number(value);
    else if (field === 24) model.suffix = Boolean(Number(value));
    else if (field === 40) model.unk = int32(value);
    else if (field === 41) model.bos = int32(value);
    else if (field === 42) model.eos = int32(value);
  });
}

function readNormalizer(bytes: Uint8Array, normalizer: ModelProto['normalizer']): void {
  readMessage(bytes, (field, value) => {
    if (field === 2) normalizer.map = asBytes(value);
    else if (field === 3) normalizer.prefix = Boolean(Number(value));
    else if (field === 4) normalizer.merge = Boolean(Number(value));
  });
}

/** Protobuf wire format: varint, 64-bit, length-delimited, 32-bit. Numbers of 32 and 64 bits arrive as their bytes. */
function readMessage(bytes: Uint8Array, take: (field: number, value: bigint | Uint8Array) => void): void {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw malformed('an unfinished number');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    throw malformed('a number of more than 10 bytes');
  };
  const block = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw malformed(`a field of ${length} bytes where ${bytes.length - at} are left`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const wire = key & 7;
    if (wire === 0) take(Math.floor(key / 8), varint());
    else if (wire === 1) take(Math.floor(key / 8), block(8));
    else if (wire === 2) take(Math.floor(key / 8), block(Number(varint())));
    else if (wire === 5) take(Math.floor(key / 8), block(4));
    else throw malformed(`wire type ${wire}`);
  }
}

function asBytes(value: bigint | Uint8Array): Uint8Array {
  if (typeof value === 'bigint') throw malformed('a number in place of a message');
  return value;
}
const int32 = (value: bigint | Uint8Array) => (typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : -1);

const malformed = (found: string) =>
  new StonechatError({ code: 'bad-file', expected: 'a SentencePiece model (protobuf)', found, remedy: 'The file is damaged or no tokenizer.model; download it again.' });
const unsupported = (expected: string, found: string) =>
  new StonechatError({ code: 'unsupported', expected, found, remedy: 'Use the model\'s tokenizer.json if it has one.' });
