import { pairNames } from './pair-names.js';
import { toFloat32 } from './dtypes.js';
import { badFile, badOption, notFound, unsupported } from './refuse.js';
import type { ModelFile, TensorInfo } from './types.js';

/**
 * Low-rank adapters (Hu et al. 2021, arXiv:2106.09685) as llama.cpp stores them (convert_lora_to_gguf.py, llama-adapter.cpp):
 * for a weight of n rows and k columns, `<weight>.lora_a` has r rows of k and `<weight>.lora_b` n rows of r, and
 * alpha / r times their product is added.
 */
export interface Adapter {
  readonly name: string;
  readonly architecture: string;
  /** Jinja source that came with it, for a base model without one. */
  readonly chatTemplate?: string;
  /** 0: the product is added as it is. */
  readonly alpha: number;
  /** By the name of the weight that they adapt. */
  readonly pairs: ReadonlyMap<string, AdapterPair>;
  /** All values of one of the tensors. */
  read(tensor: TensorInfo): Promise<Float32Array>;
  close(): Promise<void>;
}

export interface AdapterPair {
  readonly a: TensorInfo;
  readonly b: TensorInfo;
}

/** An adapter and what its products are multiplied with, besides alpha / rank. */
export interface ScaledAdapter {
  readonly adapter: Adapter;
  readonly scale: number;
}

export const CHAT_TEMPLATE = 'tokenizer.chat_template';

const EXPECTED = 'a LoRA adapter in llama.cpp\'s format';
const CONVERT = 'Convert it with llama.cpp\'s convert_lora_to_gguf.py, or train it with stonechat finetune --lora.';

/** @throws StonechatError `bad-file`, `unsupported` for what is no adapter, or one of another kind. */
export function openAdapter(file: ModelFile): Adapter {
  const text = (key: string) => (file.metadata.get(key) === undefined ? 'nothing' : String(file.metadata.get(key)));
  const [kind, method] = [text('general.type'), text('adapter.type')];
  if (kind !== 'adapter') throw badFile(`${EXPECTED} (general.type "adapter")`, `${kind} in ${file.name}`, `This is a model, not an adapter? ${CONVERT}`);
  if (method !== 'lora') throw unsupported(`${EXPECTED} (adapter.type "lora")`, `${method} in ${file.name}`, CONVERT);
  if (file.metadata.has('adapter.alora.invocation_tokens')) throw unsupported('an adapter that always applies', `one that waits for its invocation tokens in ${file.name}`, CONVERT);
  const alpha = file.metadata.get('adapter.lora.alpha') ?? 0;
  if (typeof alpha !== 'number' || !Number.isFinite(alpha)) throw badFile('metadata adapter.lora.alpha to be a number', String(alpha));
  const read = async (tensor: TensorInfo) => {
    const raw = new Uint8Array(tensor.bytes);
    await file.read(tensor, 0, raw);
    return toFloat32(tensor.type, raw, tensor.shape.reduce((a, b) => a * b, 1));
  };
  const template = file.metadata.get(CHAT_TEMPLATE);
  return { name: file.name, ...(typeof template === 'string' && { chatTemplate: template }), architecture: text('general.architecture'), alpha, pairs: pairsOf(file), read, close: () => file.close() };
}

function pairsOf({ name: file, tensors }: ModelFile): Map<string, AdapterPair> {
  const weights = new Set<string>();
  for (const name of tensors.keys()) {
    const [, weight] = /^(.+)\.lora_[ab]$/.exec(name) ?? [];
    if (!weight) throw unsupported('only tensors <weight>.lora_a and <weight>.lora_b', `${name} in ${file}`, 'Train the adapter on linear layers alone: norms and embeddings are not adapted.');
    weights.add(weight);
  }
  if (weights.size === 0) throw badFile('an adapter with tensors', `none in ${file}`, CONVERT);
  return new Map(
    [...weights].map((weight): [string, AdapterPair] => {
      const names = pairNames(weight);
      const [a, b] = [tensors.get(names.a), tensors.get(names.b)];
      if (!a || !b) throw notFound(`both tensors of the pair ${weight}.lora_a, .lora_b in ${file}`, `only ${(a ?? b)!.name}`, 'The adapter is damaged; convert or download it again.');
      if (a.shape.length !== 2 || b.shape.length !== 2 || a.shape[1] !== b.shape[0]) {
        throw badFile(`${names.a} of shape [columns, rank] and ${names.b} of [rank, rows]`, `[${a.shape.join(', ')}] and [${b.shape.join(', ')}] in ${file}`, 'Convert the adapter again.');
      }
      return [weight, { a, b }];
    }),
  );
}

/** @throws StonechatError `bad-option`, `unsupported` unless the adapter fits the model. */
export function checkFits({ name, architecture, pairs }: Adapter, base: ModelFile): void {
  const own = String(base.metadata.get('general.architecture'));
  if (architecture !== own) throw badOption(`an adapter for the ${own} architecture of ${base.name}`, `one for ${architecture} in ${name}`, 'Use the model that the adapter was trained on.');
  for (const [weight, { a, b }] of pairs) {
    const tensor = base.tensors.get(weight);
    if (weight.endsWith('_embd.weight')) throw unsupported('an adapter of linear layers', `one of ${weight} in ${name}`, 'Train it without the embeddings (PEFT: target_modules, modules_to_save).');
    if (!tensor) throw badOption(`adapted weights that ${base.name} has`, `${weight} in ${name}`, 'Use the model that the adapter was trained on.');
    const [columns, rows = 1] = tensor.shape;
    if (a.shape[0] !== columns || b.shape[1] !== rows) {
      throw badOption(`a pair for ${weight} of ${columns} columns and ${rows} rows`, `one of ${a.shape[0]} and ${b.shape[1]} in ${name}`, 'Use the model that the adapter was trained on: this one has other sizes.');
    }
  }
}
