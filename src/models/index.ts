import { StonechatError } from '../errors.js';
import type { ModelFile } from '../files/types.js';
import { GraphBuilder } from '../graph/builder.js';
import type { Graph } from '../graph/graph.js';
import type { Architecture } from './architecture.js';
import { gpt2 } from './gpt2.js';
import { Hyperparameters } from './hyperparameters.js';
import { llama } from './llama.js';
import { nplm } from './nplm.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';

export const ARCHITECTURES: Readonly<Record<string, Architecture>> = { llama, gpt2, qwen2, qwen3, nplm };

/** @throws StonechatError `unsupported` architecture; `bad-file`, `not-found` where metadata and tensors disagree. */
export function buildGraph(file: ModelFile): Graph {
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
  return architecture(new GraphBuilder(file.tensors, file.pairScale), h);
}
