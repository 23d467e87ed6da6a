import { StonechatError } from '../errors.js';
import { allocate, badFile, badOption, truncated } from './refuse.js';
import type { ByteSource, MetadataValue, ModelFile, ScalarType, TensorInfo } from './types.js';

/** A tensor and where its bytes lie. */
export interface PlacedTensor extends TensorInfo {
  readonly source: ByteSource;
  readonly offset: number;
  /** Bytes on disk, where they differ from what `read` delivers. */
  readonly storedBytes?: number;
  /** Fills `into` with the delivered bytes from `from` on, made from all stored bytes of the tensor. */
  readonly convert?: (stored: Uint8Array, from: number, into: Uint8Array) => void;
}

export interface ModelParts {
  readonly format: ModelFile['format'];
  readonly name: string;
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  readonly metadataTypes?: ReadonlyMap<string, ScalarType>;
  /** In any order. */
  readonly tensors: readonly PlacedTensor[];
  /** In reading order: parts of a split model one after another. */
  readonly sources: readonly ByteSource[];
  readonly sibling?: ModelFile['sibling'];
  readonly warnings?: readonly string[];
}

const endOf = (tensor: PlacedTensor): number => tensor.offset + (tensor.storedBytes ?? tensor.bytes);

/** Disk order; tensors must neither overlap (their sum would exceed the file) nor reach past the end. */
function order(tensors: readonly PlacedTensor[], sources: readonly ByteSource[]): PlacedTensor[] {
  const place = new Map(sources.map((source, i) => [source, i]));
  const sorted = [...tensors].sort((a, b) => place.get(a.source)! - place.get(b.source)! || a.offset - b.offset);
  sorted.forEach((tensor, i) => {
    const { source, name } = tensor;
    const before = sorted[i - 1];
    if (before?.source === source && endOf(before) > tensor.offset) {
      throw badFile(`tensors of ${source.name} side by side`, `${before.name} up to byte ${endOf(before)} and ${name} from byte ${tensor.offset}`);
    }
    if (source.size >= 0 && endOf(tensor) > source.size) throw tooShort(tensor, sorted);
  });
  return sorted;
}

function tooShort(first: PlacedTensor, all: readonly PlacedTensor[]): StonechatError {
  const { source, name } = first;
  const needed = Math.max(...all.map((tensor) => (tensor.source === source ? endOf(tensor) : 0)));
  return truncated(`${needed} bytes in ${source.name}`, `${source.size}: tensor ${name} (bytes ${first.offset} to ${endOf(first)}) is the first that is missing`);
}

function byName(tensors: readonly PlacedTensor[]): Map<string, PlacedTensor> {
  const map = new Map<string, PlacedTensor>();
  for (const tensor of tensors) {
    if (map.has(tensor.name)) throw badFile('every tensor name once', `${tensor.name} twice`);
    map.set(tensor.name, tensor);
  }
  return map;
}

/** Puts a model together from its parts. @throws StonechatError `truncated`, `bad-file` where tensors do not fit the files. */
export function createModelFile(parts: ModelParts): ModelFile {
  const placed = byName(order(parts.tensors, parts.sources));
  const ends = parts.sources.map((source) => Math.max(source.size, 0, ...[...placed.values()].map((t) => (t.source === source ? endOf(t) : 0))));
  const stored = new LastStored();
  const read: ModelFile['read'] = (tensor, offset, into) => readTensor(placed.get(tensor.name), tensor, offset, into, stored);
  return {
    format: parts.format,
    name: parts.name,
    fileBytes: ends.reduce((sum, bytes) => sum + bytes, 0),
    metadata: parts.metadata,
    ...(parts.metadataTypes && { metadataTypes: parts.metadataTypes }),
    warnings: parts.warnings ?? [],
    tensors: placed,
    direct: parts.sources.every(({ direct }) => direct === true) && parts.tensors.every(({ convert }) => !convert),
    read,
    joined: { read, distance: (tensor, next) => distance(placed.get(tensor.name)!, placed.get(next.name)!), readOn: (tensor, into) => readOn(placed.get(tensor.name)!, into) },
    sibling: parts.sibling ?? (async () => undefined),
    close: async () => {
      stored.forget();
      await Promise.all(parts.sources.map((source) => source.close()));
    },
  };
}

const distance = (tensor: PlacedTensor, next: PlacedTensor): number | undefined =>
  tensor.source === next.source && !tensor.convert && !next.convert ? next.offset - tensor.offset : undefined;

const readOn = (tensor: PlacedTensor, into: Uint8Array): Promise<void> => naming(tensor, () => tensor.source.read(tensor.offset, into));

async function readTensor(tensor: PlacedTensor | undefined, { name }: TensorInfo, offset: number, into: Uint8Array, stored: LastStored): Promise<void> {
  if (!tensor) throw badOption('a tensor of this file', name);
  if (!(offset >= 0 && offset + into.length <= tensor.bytes)) {
    throw badOption(`a range within the ${tensor.bytes} bytes of tensor ${name}`, `bytes ${offset} to ${offset + into.length}`);
  }
  if (into.length === 0) return;
  await naming(tensor, async () => {
    if (!tensor.convert) return tensor.source.read(tensor.offset + offset, into);
    tensor.convert(await stored.of(tensor), offset, into);
    if (offset + into.length === tensor.bytes) stored.forget();
  });
}

/** Says of a file that ends too early at which tensor. */
async function naming(tensor: PlacedTensor, read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (!(error instanceof StonechatError) || error.code !== 'truncated') throw error;
    throw truncated(`tensor ${tensor.name} at bytes ${tensor.offset} to ${endOf(tensor)}`, error.found, error.remedy, error);
  }
}

/** Keeps the stored bytes of the one tensor that is being converted. */
class LastStored {
  private name: string | undefined;
  private bytes = new Uint8Array(0);

  async of({ name, source, offset, bytes, storedBytes = bytes }: PlacedTensor): Promise<Uint8Array> {
    if (name === this.name) return this.bytes;
    this.forget();
    this.bytes = await readStored(source, offset, storedBytes, `tensor ${name}`);
    this.name = name;
    return this.bytes;
  }

  forget(): void {
    this.name = undefined;
    this.bytes = new Uint8Array(0);
  }
}

/** Of a source whose size is unknown, memory is taken only as bytes arrive: the tensor's size is a mere claim. */
async function readStored(source: ByteSource, offset: number, total: number, what: string): Promise<Uint8Array<ArrayBuffer>> {
  let bytes = allocate(source.size < 0 ? Math.min(total, 1 << 20) : total, what);
  for (let have = 0; ; ) {
    await source.read(offset + have, bytes.subarray(have));
    have = bytes.length;
    if (have === total) return bytes;
    const grown = allocate(Math.min(total, have * 4), what);
    grown.set(bytes);
    bytes = grown;
  }
}
