import { StonechatError } from '../errors.js';
import { quote } from '../files/refuse.js';
import type { ModelFile } from '../files/types.js';
import { GraphBuilder } from '../graph/builder.js';
import type { Architecture, Network } from './architecture.js';
import { gpt2 } from './gpt2.js';
import { Hyperparameters } from './hyperparameters.js';
import { llama } from './llama.js';
import { nplm } from './nplm.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';

export const ARCHITECTURES: Readonly<Record<string, Architecture>> = { llama, gpt2, qwen2, qwen3, nplm };

/** @throws StonechatError `unsupported` architecture; `bad-file`, `not-found` where metadata and tensors disagree. */
export function buildNetwork(file: ModelFile): Network {
  const h = new Hyperparameters(file);
  const architecture = Object.hasOwn(ARCHITECTURES, h.architecture) ? ARCHITECTURES[h.architecture] : undefined;
  if (!architecture) {
    throw new StonechatError({
      code: 'unsupported',
      expected: `one of the architectures ${Object.keys(ARCHITECTURES).join(', ')}`,
      found: h.architecture,
      remedy: 'Use a model of one of these families.',
    });
  }
  if (file.metadata.get('general.type') === 'adapter') {
    throw new StonechatError({
      code: 'bad-file',
      expected: 'a model',
      found: `an adapter in ${file.name}`,
      remedy: 'Name the model that it was trained on, and this file beside it by the lora option (--lora).',
    });
  }
  if (file.tensors.size === 0) {
    throw new StonechatError({
      code: 'bad-file',
      expected: 'a model with tensors',
      found: `a vocabulary without weights in ${file.name}`,
      remedy: 'This file only serves to tokenize; name the full model to generate.',
    });
  }
  const network = architecture(new GraphBuilder(file.tensors, file.pairScale), h);
  refuseStrange(file, network);
  return network;
}

/** A tensor that nothing computes with is a sign of a variant, whose numbers would be others. Blocks beyond the last, which some files bring for drafting, are none. */
function refuseStrange({ tensors, name }: ModelFile, { graph, layers }: Network): void {
  const used = new Set(graph.weights.map((weight) => weight.name));
  const block = (tensor: string) => Number(/^blk\.(\d+)\./.exec(tensor)?.[1] ?? -1);
  const strange = [...tensors.keys()].filter((tensor) => !used.has(tensor) && block(tensor) < layers);
  if (strange.length === 0) return;
  throw new StonechatError({
    code: 'unsupported',
    expected: 'only tensors that the architecture computes with',
    found: `${quote(strange[0]!)}${strange.length > 1 ? ` and ${strange.length - 1} more` : ''} in ${name}`,
    remedy: 'This is a variant of the architecture that is not implemented; use another model.',
  });
}
