// The feed-forward network of Bengio et al. 2003 in plain f64 TypeScript.
import type { ReferenceModel } from './transformer.js';
import { window } from './window.js';

/** Logits of every position, [tokens][vocabulary]; `starts[row]` is the first row of its document. */
export function nplmLogits({ metadata, tensors }: ReferenceModel, ids: readonly number[], starts: readonly number[] = ids.map(() => 0)): Float64Array[] {
  const number = (key: string) => Number(metadata.get(`nplm.${key}`));
  const width = number('context_length'), columns = number('embedding_length');
  const data = (name: string) => tensors.get(name)!.data;
  const product = (x: Float64Array, name: string, begin: (row: number) => number): Float64Array =>
    Float64Array.from({ length: tensors.get(`${name}.weight`)!.shape[1]! }, (_, row) => x.reduce((sum, value, i) => sum + value * data(`${name}.weight`)[row * x.length + i]!, begin(row)));
  const linear = (x: Float64Array, name: string) => product(x, name, (row) => data(`${name}.bias`)[row]!);
  const logits = (x: Float64Array) => {
    const indirect = linear(linear(x, 'blk.0.ffn_up').map(Math.tanh), 'output');
    return tensors.has('output_direct.weight') ? product(x, 'output_direct', (row) => indirect[row]!) : indirect;
  };
  const seen = window(data('token_embd.weight'), ids, starts, columns, width, number('padding_token_id'));
  return ids.map((_, row) => logits(seen.slice(row * width * columns, (row + 1) * width * columns)));
}
