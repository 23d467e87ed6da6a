import { CHAT_TEMPLATE } from '../../files/adapter.js';
import { adapterContent } from '../../files/adapter-writer.js';
import { LAYOUTS, tensorBytes } from '../../files/dtypes.js';
import { type GgufContent, tensorOf, type WrittenTensor } from '../../files/gguf-writer.js';
import { badOption } from '../../files/refuse.js';
import type { DType, MetadataValue, ModelFile, TensorInfo } from '../../files/types.js';
import { inFloat32 } from '../convert/computed.js';
import type { TrainEngine } from '../loop/engine.js';
import { isAdapterTensor, adapterWeights, withNewAdapter } from './lora.js';
import { encodeTensors, type Quantised, quantizeModel, unsplit } from '../convert/quantize.js';
import type { TuningOptions, TuningSettings } from './settings.js';

const isQuantised = ({ type }: TensorInfo): boolean => LAYOUTS[type].elements > 1;
/** Declared by the graph, but no weight that learns. */
const isFixed = (name: string): boolean => name === 'rope_freqs.weight';

/** What the engine opens: the model with fresh pairs, or all in floats; and which of its weights learn. @throws StonechatError `bad-option`. */
export function modelToTune(base: ModelFile, { lora, seed }: TuningSettings, { dequantize = false }: TuningOptions): { file: ModelFile; trained: (name: string) => boolean } {
  if (lora) return { file: withNewAdapter(base, lora, seed), trained: isAdapterTensor };
  checkTrainable(base, dequantize);
  return { file: inFloat32(base), trained: (name) => !isFixed(name) };
}

function checkTrainable(base: ModelFile, dequantize: boolean): void {
  if (base.format !== 'gguf') throw badOption('a GGUF file, to be written again', `${base.format} in ${base.name}`, 'Convert the model to GGUF first (stonechat convert), or train an adapter (lora).');
  const quantised = [...base.tensors.values()].find(isQuantised);
  if (!quantised || dequantize) return;
  throw badOption('a model of F32, F16 or BF16, where all weights are trained', `${quantised.type} in ${base.name}`, 'Train an adapter (lora: true, --lora), whose base may be quantised; or turn the weights to floats (dequantize: true, --dequantize).');
}

/** The tuned model, or the adapter, as a file to be written; copied out of the engine. */
export async function tunedContent(base: ModelFile, engine: TrainEngine, settings: TuningSettings, options: TuningOptions, more: ReadonlyMap<string, MetadataValue>): Promise<Quantised> {
  const { lora } = settings;
  if (lora) return { ...adapterContent(base, lora.alpha, adapterWeights(engine), more), fallbacks: [] };
  const tuned = withLearnt(base, engine);
  const { type, name } = options;
  const content: Quantised = type === undefined ? { ...inOwnTypes(base, tuned, engine), fallbacks: [] } : quantizeModel(tuned, engine.kernels, { type });
  const named: [string, MetadataValue][] = name === undefined ? [] : [['general.name', name]];
  return { ...content, metadata: new Map([...content.metadata, ...named, ...more]), tensors: await Promise.all(content.tensors.map(copied)) };
}

/** The base with what was learnt in place of its own. */
function withLearnt(base: ModelFile, engine: TrainEngine): ModelFile {
  const learnt = ({ name }: TensorInfo) => engine.layout.offsets.has(name);
  const infos = [...base.tensors].map(([name, tensor]): [string, TensorInfo] => [name, learnt(tensor) ? { ...tensor, type: 'f32', bytes: tensor.shape.reduce((a, b) => a * b, 4) } : tensor]);
  return {
    ...base,
    tensors: new Map(infos),
    async read(tensor, offset, into) {
      if (!learnt(tensor)) return base.read(tensor, offset, into);
      into.set(new Uint8Array(engine.tensor(tensor.name).buffer, offset, into.length));
    },
  };
}

/** Floats stay of their type, what was quantised becomes f16. */
function inOwnTypes(base: ModelFile, tuned: ModelFile, { kernels }: TrainEngine): GgufContent {
  const typeOf = ({ name, type }: TensorInfo): DType => {
    const before = base.tensors.get(name)!;
    return type === before.type ? type : isQuantised(before) ? 'f16' : before.type;
  };
  const wasQuantised = [...base.tensors.values()].some(isQuantised);
  const metadata = new Map<string, MetadataValue>([...unsplit(base), ...(wasQuantised ? ([['general.file_type', 1]] as const) : [])]);
  return { metadata, types: base.metadataTypes ?? new Map(), tensors: encodeTensors(tuned, kernels, typeOf, undefined) };
}

async function copied({ name, type, shape, read }: WrittenTensor): Promise<WrittenTensor> {
  const bytes = new Uint8Array(tensorBytes(type, shape)!);
  await read(0, bytes);
  return tensorOf(name, type, shape, bytes);
}

/** What the file says of its tuning. */
export const tuningMetadata = (template: string | undefined, settings: TuningSettings, step: number): Map<string, MetadataValue> =>
  new Map<string, MetadataValue>([...(template === undefined ? [] : [[CHAT_TEMPLATE, template] as const]), ['stonechat.tuning.steps', step], ['stonechat.tuning.seed', settings.seed]]);
