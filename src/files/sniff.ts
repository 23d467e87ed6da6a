import { type StonechatError } from '../errors.js';
import { GGUF_MAGIC } from './gguf.js';
import { LLAMA2C_MAGIC, looksLikeV0 } from './llama2c-head.js';
import { badFile, quote, unsupported } from './refuse.js';

export type Kind = 'gguf' | 'llama2c' | 'safetensors';

/** Longest JSON header of a safetensors file, as its reference reader has it. */
export const MOST_SAFETENSORS_HEADER = 100_000_000;

/** Other files that people pass by mistake: first bytes (latin-1), what they are, what to do. */
const STRANGERS: readonly (readonly [start: string, what: string, remedy: string])[] = [
  ['version https://git-lfs', 'a Git LFS pointer, not the file itself', 'Run `git lfs pull`, or download the file from its page.'],
  ['FUGG', 'a big-endian GGUF file', 'Download the little-endian file of this model.'],
  ['lmgg', 'a GGML file from before GGUF', 'Convert it to GGUF.'],
  ['fmgg', 'a GGMF file from before GGUF', 'Convert it to GGUF.'],
  ['tjgg', 'a GGJT file from before GGUF', 'Convert it to GGUF.'],
  ['algg', 'a GGLA adapter from before GGUF', 'Convert it to GGUF.'],
  ['PK\x03\x04', 'a zip archive', 'Unpack it and name the model file in it.'],
  ['PK\x05\x06', 'an empty zip archive', 'Download it again.'],
  ['\x1f\x8b', 'a gzip archive', 'Unpack it and name the model file in it.'],
  ['BZh', 'a bzip2 archive', 'Unpack it and name the model file in it.'],
  ['\xfd7zXZ', 'an xz archive', 'Unpack it and name the model file in it.'],
  ['\x28\xb5\x2f\xfd', 'a zstd archive', 'Unpack it and name the model file in it.'],
  ['7z\xbc\xaf', 'a 7z archive', 'Unpack it and name the model file in it.'],
  ['\x89HDF', 'an HDF5 (Keras) file', 'Convert the model to GGUF or safetensors.'],
  ['\x93NUMPY', 'a NumPy array', 'Convert the model to GGUF or safetensors.'],
  ['%PDF', 'a PDF document', 'Name a model file.'],
  ['SCNGRAM1', 'counted n-grams', 'In code, readNgrams() reads them; generate, next, eval and trust take them like a model.'],
];
const PICKLE = 'a PyTorch pickle (.pt, .pth, .bin)';
const CONVERT = 'Convert the model to GGUF or safetensors; pickles can run code and are not read.';

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** Tells the format by the structure of its beginning, not by single bytes. @throws StonechatError naming what the file looks like instead. */
export function sniff(bytes: Uint8Array, name: string): Kind {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = bytes.length >= 4 ? view.getUint32(0, true) : 0;
  if (magic === GGUF_MAGIC) return 'gguf';
  if (magic === LLAMA2C_MAGIC) return 'llama2c';
  if (looksLikeSafetensors(bytes, view)) return 'safetensors';
  if (looksLikeV0(bytes)) return 'llama2c'; // seven plausible sizes: before two bytes are taken for a pickle
  const stranger = recognise(bytes, name);
  if (stranger) throw stranger;
  const first = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw refuse(name, `unknown bytes ${first}`, 'Check that this is a model file, and that its download is complete.');
}

/** Weights, rather than a tokenizer's own file? */
export function holdsModel(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = bytes.length >= 8 ? view.getUint32(0, true) : 0;
  if (magic === GGUF_MAGIC) return bytes[5] === 0 || bytes[6] === 0; // the ranks of tiktoken may begin with the same letters
  return magic === LLAMA2C_MAGIC || looksLikeSafetensors(bytes, view) || looksLikeV0(bytes);
}

function looksLikeSafetensors(bytes: Uint8Array, view: DataView): boolean {
  return bytes.length >= 9 && bytes[8] === 0x7b && view.getBigUint64(0, true) <= BigInt(MOST_SAFETENSORS_HEADER);
}

const refuse = (name: string, found: string, remedy: string, code: typeof badFile = badFile): StonechatError =>
  code('a GGUF, safetensors or llama2.c model file', `${found} in ${name}`, remedy);

function recognise(bytes: Uint8Array, name: string): StonechatError | undefined {
  if (bytes.length === 0) return refuse(name, 'an empty file', 'Download it again.');
  const start = latin1(bytes.subarray(0, 1024));
  if (start.startsWith('PK') && /\/data\.pkl|\/version/.test(start)) return refuse(name, `${PICKLE} in a zip archive`, CONVERT, unsupported);
  if (bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5) return refuse(name, PICKLE, CONVERT, unsupported);
  for (const [magic, what, remedy] of STRANGERS) if (start.startsWith(magic)) return refuse(name, what, remedy, unsupported);
  return recogniseText(bytes.subarray(0, 1024), name);
}

function recogniseText(bytes: Uint8Array, name: string): StonechatError | undefined {
  if (bytes.some((byte) => byte < 9 || (byte > 13 && byte < 32))) return undefined;
  const text = new TextDecoder().decode(bytes).trim();
  if (/^<(!doctype html|html|head)/i.test(text)) return refuse(name, 'an HTML page (an error or log-in page instead of the file?)', 'Open the address in a browser to see what it says.');
  if (text.startsWith('<')) return refuse(name, `XML ${quote(text)}`, 'The server sent a message instead of the file.');
  if (text.startsWith('{') || text.startsWith('[')) return refuse(name, `JSON ${quote(text)}`, 'Name the model file, or the folder that holds config.json and the weights.');
  return refuse(name, `text ${quote(text)}`, 'Name a model file.');
}
