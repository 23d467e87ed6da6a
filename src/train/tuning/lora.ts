import { StonechatError } from '../../errors.js';
import { pairNames } from '../../files/pair-names.js';
import type { TrainedPair } from '../../files/adapter-writer.js';
import type { ModelFile, TensorInfo } from '../../files/types.js';
import type { TrainEngine } from '../loop/engine.js';
import { mix, Random } from '../data/random.js';

/** Low-rank adaptation (Hu et al. 2021): beside each target W a pair that begins at nothing, W x + alpha / rank · B (A x). */
export interface LoraSettings {
  readonly rank: number;
  readonly alpha: number;
  /** Linear layers by their names in llama.cpp or PEFT, in every block; `all-linear`: all of the blocks. */
  readonly targets: readonly string[];
}

/** All linear layers, as Dettmers et al. 2023 (arXiv:2305.14314) found necessary to match full fine-tuning. */
export const LORA_DEFAULTS: LoraSettings = { rank: 8, alpha: 16, targets: ['all-linear'] };

/** PEFT's `target_modules` of Llama, Mistral, Qwen and GPT-2, by GGUF's names. */
const PEFT_NAMES: Readonly<Record<string, readonly string[]>> = {
  q_proj: ['attn_q'], k_proj: ['attn_k'], v_proj: ['attn_v'], o_proj: ['attn_output'], gate_proj: ['ffn_gate'], up_proj: ['ffn_up'], down_proj: ['ffn_down'],
  c_attn: ['attn_qkv'], c_fc: ['ffn_up'], c_proj: ['attn_output', 'ffn_down'], lm_head: ['output'],
};

const LINEAR = /^(?:blk\.\d+\.(\w+)|(output))\.weight$/;
const stemOf = ({ name, shape }: TensorInfo): string | undefined => {
  const [, inBlock, head] = LINEAR.exec(name) ?? [];
  return shape.length === 2 ? (inBlock ?? head) : undefined;
};

/** The weights that targets name. @throws StonechatError `bad-option` for a name that the model does not have. */
export function targetsOf(file: ModelFile, targets: readonly string[]): TensorInfo[] {
  const linears = [...file.tensors.values()].filter(stemOf);
  const stems = [...new Set(linears.map((tensor) => stemOf(tensor)!))];
  const wanted = new Set(targets.flatMap((target) => (target === 'all-linear' ? stems.filter((stem) => stem !== 'output') : (Object.hasOwn(PEFT_NAMES, target) ? PEFT_NAMES[target]! : [target]))));
  const unknown = [...wanted].find((stem) => !stems.includes(stem));
  if (unknown !== undefined || wanted.size === 0) {
    throw new StonechatError({
      code: 'bad-option',
      expected: `targets among ${stems.join(', ')} (or all-linear, or PEFT's names)`,
      found: unknown ?? 'none',
      remedy: unknown === 'output' ? 'The output layer of this model is its token embedding, which is not adapted.' : 'Leave them out for all linear layers of the blocks.',
    });
  }
  return linears.filter((tensor) => wanted.has(stemOf(tensor)!));
}

export const isAdapterTensor = (name: string): boolean => /\.lora_[ab]$/.test(name);

/**
 * The model with fresh pairs beside the targets, for a TrainEngine that trains these alone: A uniform within ±1/√columns
 * (He et al. 2015 with PEFT's a = √5), drawn from the seed and the weight's place; B zero, so that nothing changes at first.
 */
export function withNewAdapter(base: ModelFile, { rank, alpha, targets }: LoraSettings, seed: number): ModelFile {
  const fresh = new Map<string, TensorInfo & { draw: () => Float32Array }>();
  targetsOf(base, targets).forEach(({ name, shape }, place) => {
    const [columns, rows] = [shape[0]!, shape[1]!];
    const { a, b } = pairNames(name);
    fresh.set(a, { name: a, type: 'f32', shape: [columns, rank], bytes: columns * rank * 4, draw: () => uniform(columns * rank, 1 / Math.sqrt(columns), mix(seed, place)) });
    fresh.set(b, { name: b, type: 'f32', shape: [rank, rows], bytes: rank * rows * 4, draw: () => new Float32Array(rank * rows) });
  });
  return {
    ...base,
    tensors: new Map<string, TensorInfo>([...base.tensors, ...fresh]),
    pairScale: alpha / rank,
    async read(tensor, offset, into) {
      const own = fresh.get(tensor.name);
      if (!own) return base.read(tensor, offset, into);
      into.set(new Uint8Array(own.draw().buffer, offset, into.length));
    },
  };
}

function uniform(count: number, bound: number, seed: number): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => bound * (2 * random.uniform() - 1));
}

/** The pairs as they are now. */
export function adapterWeights(engine: TrainEngine): TrainedPair[] {
  const names = [...engine.layout.offsets.keys()].filter((name) => name.endsWith('.lora_a'));
  return names.map((name) => {
    const weight = name.slice(0, -'.lora_a'.length);
    const { a, b } = pairNames(weight);
    const { rows: rank, columns } = engine.layout.offsets.get(a)!;
    return { weight, rank, columns, rows: engine.layout.offsets.get(b)!.rows, a: engine.tensor(a), b: engine.tensor(b) };
  });
}
