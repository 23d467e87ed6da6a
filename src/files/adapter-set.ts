import { type AdapterPair, CHAT_TEMPLATE, checkFits, openAdapter, type ScaledAdapter } from './adapter.js';
import { pairNames } from './pair-names.js';
import { fromGgufOrder } from './head-order.js';
import type { ModelFile, TensorInfo } from './types.js';

/** What a product is multiplied with: llama.cpp's rule. */
const factorOf = ({ adapter: { alpha }, scale }: ScaledAdapter, rank: number): number => (alpha === 0 ? scale : (scale * alpha) / rank);

/** Adapters of a model file, joined: one pair for each weight, `a` above `a`, `b` beside `b`, with the factors in `b`. */
export class AdapterSet {
  readonly weights: readonly string[];
  private readonly kept = new Map<string, Promise<Float32Array>>();

  /** @throws StonechatError `bad-option`, `unsupported` for an adapter that does not fit. */
  constructor(
    private readonly base: ModelFile,
    private readonly adapters: readonly ScaledAdapter[],
  ) {
    for (const { adapter } of adapters) checkFits(adapter, base);
    this.weights = [...base.tensors.keys()].filter((weight) => this.of(weight).length > 0);
  }

  /** Shapes of the joined pairs, in f32. */
  infos(): Map<string, TensorInfo> {
    const info = (name: string, shape: readonly number[]): [string, TensorInfo] => [name, { name, type: 'f32', shape, bytes: shape[0]! * shape[1]! * 4 }];
    return new Map(
      this.weights.flatMap((weight) => {
        const { a, b } = pairNames(weight);
        const [columns, rows = 1] = this.base.tensors.get(weight)!.shape;
        const rank = this.of(weight).reduce((sum, { pair }) => sum + pair.a.shape[1]!, 0);
        return [info(a, [columns!, rank]), info(b, [rank, rows])];
      }),
    );
  }

  /** All values of a joined tensor; those of one pair are kept, since they are asked for piece by piece. */
  values(name: string): Promise<Float32Array> {
    const weight = name.slice(0, -'.lora_a'.length);
    const found = this.kept.get(name);
    if (found) return found;
    for (const other of this.kept.keys()) if (!other.startsWith(`${weight}.lora_`)) this.kept.delete(other);
    const values = name.endsWith('.lora_a') ? this.joinA(weight) : this.joinB(weight);
    this.kept.set(name, values);
    return values;
  }

  async close(): Promise<void> {
    await Promise.all(this.adapters.map(({ adapter }) => adapter.close()));
  }

  private of(weight: string): { scaled: ScaledAdapter; pair: AdapterPair }[] {
    return this.adapters.flatMap((scaled) => {
      const pair = scaled.adapter.pairs.get(weight);
      return pair ? [{ scaled, pair }] : [];
    });
  }

  private async joinA(weight: string): Promise<Float32Array> {
    const parts = await Promise.all(this.of(weight).map(({ scaled, pair }) => scaled.adapter.read(pair.a)));
    const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
    parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
    return all;
  }

  private async joinB(weight: string): Promise<Float32Array> {
    const own = this.of(weight);
    const ranks = own.map(({ pair }) => pair.b.shape[0]!);
    const rank = ranks.reduce((a, b) => a + b, 0);
    const rows = own[0]!.pair.b.shape[1]!;
    const all = new Float32Array(rank * rows);
    let column = 0;
    for (const [i, { scaled, pair }] of own.entries()) {
      const values = fromGgufOrder(this.base.metadata, weight, await scaled.adapter.read(pair.b), ranks[i]!);
      const factor = factorOf(scaled, ranks[i]!);
      for (let at = 0; at < values.length; at++) all[Math.floor(at / ranks[i]!) * rank + column + (at % ranks[i]!)] = factor * values[at]!;
      column += ranks[i]!;
    }
    return all;
  }
}

/** A base model without a chat template takes that of the first adapter that has one: it was trained with it. */
function withTemplate({ metadata }: ModelFile, adapters: readonly ScaledAdapter[]): ModelFile['metadata'] {
  const template = adapters.find(({ adapter }) => adapter.chatTemplate !== undefined)?.adapter.chatTemplate;
  return template === undefined || metadata.has(CHAT_TEMPLATE) ? metadata : new Map([...metadata, [CHAT_TEMPLATE, template]]);
}

/** The model with the pairs of adapters beside its weights, to be applied as it runs. Closing it closes the adapters too. */
export function withAdapters(base: ModelFile, adapters: readonly ScaledAdapter[]): ModelFile {
  const set = new AdapterSet(base, adapters);
  const infos = set.infos();
  return {
    ...base,
    metadata: withTemplate(base, adapters),
    tensors: new Map([...base.tensors, ...infos]),
    async read(tensor, offset, into) {
      if (!infos.has(tensor.name)) return base.read(tensor, offset, into);
      const { buffer, byteOffset } = await set.values(tensor.name);
      into.set(new Uint8Array(buffer, byteOffset + offset, into.length));
    },
    close: async () => void (await Promise.all([base.close(), set.close()])),
  };
}

/** Opens adapters and puts them beside the model; without any it is the model as it was. Closes everything where one fails. */
export async function openAdapters<Source>(base: ModelFile, wanted: readonly { source: Source; scale?: number | undefined }[], open: (source: Source) => Promise<ModelFile>): Promise<ModelFile> {
  if (wanted.length === 0) return base;
  const files: ModelFile[] = [base];
  try {
    const adapters: ScaledAdapter[] = [];
    for (const { source, scale = 1 } of wanted) {
      files.push(await open(source));
      adapters.push({ adapter: openAdapter(files.at(-1)!), scale });
    }
    return withAdapters(base, adapters);
  } catch (error) {
    await Promise.all(files.map((file) => file.close()));
    throw error;
  }
}
