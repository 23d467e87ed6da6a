// A reader whose probabilities are known: the next id is (id + 1) mod 4 with probability 0.7, each of the others 0.1.
import type { Token } from '../../src/generate/types.js';
import type { Reader } from '../../src/judge/index.js';

const LETTERS = 'abcd';

export function toyReader({ contextLength = 8, bos = undefined as number | undefined, seen = [] as number[][] } = {}): Reader {
  const tokenizer = {
    bos, eos: undefined, size: 4,
    encode: (text: string) => Int32Array.from([...text].filter((c) => LETTERS.includes(c)), (c) => LETTERS.indexOf(c)),
    bytes: () => Uint8Array.of(0),
  } as unknown as Reader['tokenizer'];
  async function* score(prompt: unknown, { top = 5 } = {}): AsyncGenerator<Token, undefined> {
    const ids = prompt as number[];
    if (ids.length > contextLength) throw new Error('too long');
    seen.push([...ids]);
    for (let i = 1; i < ids.length; i++) {
      const likely = (ids[i - 1]! + 1) % 4;
      const order = [likely, ...[0, 1, 2, 3].filter((id) => id !== likely)];
      const logprob = (id: number) => Math.log(id === likely ? 0.7 : 0.1);
      yield { id: ids[i]!, text: LETTERS[ids[i]!]!, logprob: logprob(ids[i]!), entropy: 1, top: order.slice(0, top).map((id) => ({ id, text: LETTERS[id]!, logprob: logprob(id) })) };
    }
  }
  return { tokenizer, score, info: { contextLength } as Reader['info'] };
}
