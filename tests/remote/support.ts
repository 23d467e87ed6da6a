import type { Token } from '../../src/generate/types.js';

export async function collectTokens(tokens: AsyncIterable<Token>): Promise<Token[]> {
  const all: Token[] = [];
  for await (const token of tokens) all.push(token);
  return all;
}
