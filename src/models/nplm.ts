import { badFile } from '../files/refuse.js';
import { activate } from '../ops/activation.js';
import { add } from '../ops/add.js';
import { bias } from '../ops/bias.js';
import { lookUpContext } from '../ops/embed.js';
import { linear, product } from '../ops/linear.js';
import type { Architecture } from './architecture.js';
import { tokenIds } from './blocks.js';
import { matrix, type ModelConfig, type TrainedForm, vector, type WeightShape } from './trained.js';

/** Nothing ends: the model looks back at its last ids, however long the text is. */
const ENDLESS = 1 << 24;

/**
 * The neural probabilistic language model (Bengio et al. 2003, JMLR 3:1137): the embeddings of the last tokens side by side, one
 * layer of tanh, the output layer; where the file has `output_direct`, the paper's direct connections from embeddings to output too.
 * `context_length` is the number of tokens seen, the paper's n - 1.
 */
export const nplm: Architecture = (g, h) => {
  const [width, embedding] = [h.size('context_length', undefined, 1024), h.size('embedding_length')];
  const vocabulary = h.file.tensors.get('token_embd.weight')?.shape[1] ?? h.size('vocab_size');
  const padding = h.index('padding_token_id', 0, vocabulary);
  if (embedding % 8 !== 0) throw badFile('nplm.embedding_length to be a multiple of 8', String(embedding), 'Train it again with an embedding of 32, for instance.');
  const contextIds = g.input('contextIds', { kind: 'contextIds', width, padding });
  const seen = lookUpContext(g, contextIds, 'token_embd.weight', embedding, vocabulary, width);
  const hidden = activate(g, linear(g, seen, 'blk.0.ffn_up', h.size('feed_forward_length')), 'tanh');
  const indirect = bias(g, product(g, hidden, 'output.weight', vocabulary), 'output.bias', 'output.bias');
  const logits = g.has('output_direct.weight') ? add(g, indirect, linear(g, seen, 'output_direct', vocabulary), 'output') : indirect;
  tokenIds(g, vocabulary);
  return { graph: g.finish({ logits }), layers: 1, context: { trained: ENDLESS, stretches: false } };
};

// As it begins to be trained

export const nplmTrained: TrainedForm = {
  keys: ({ window, embedding, feedForward, padding }) => ({ context_length: window, embedding_length: embedding, block_count: 1, feed_forward_length: feedForward, padding_token_id: padding }),
  weights: nplmWeights,
};

/** Deviations that keep tanh in its middle: embeddings of about 0.1, hidden sums of about 0.5, logits near zero. */
function nplmWeights({ embedding, vocabulary, window, feedForward, direct }: ModelConfig): WeightShape[] {
  const seen = embedding * window;
  return [
    matrix('token_embd.weight', embedding, vocabulary, NPLM_EMBEDDING),
    matrix('blk.0.ffn_up.weight', seen, feedForward, NPLM_HIDDEN / (NPLM_EMBEDDING * Math.sqrt(seen))),
    vector('blk.0.ffn_up.bias', feedForward, 0),
    matrix('output.weight', feedForward, vocabulary),
    vector('output.bias', vocabulary, 0),
    ...(direct ? [matrix('output_direct.weight', seen, vocabulary)] : []),
  ];
}

const NPLM_EMBEDDING = 0.1;
const NPLM_HIDDEN = 0.5;
