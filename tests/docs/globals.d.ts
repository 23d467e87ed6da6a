// What the snippets of the documents take for granted.
import type { Model, Tokenizer } from 'stonechat';
import type { TuningExample } from 'stonechat/train';

declare global {
  const process: { readonly stdout: { write(text: string): void } };
  function writeFile(path: string, bytes: Uint8Array): Promise<void>;

  const text: string;
  const bytes: Uint8Array<ArrayBuffer>;
  const model: Model;
  const tokenizer: Tokenizer;
  const documents: number[][];
  const context: number[];
  const token: number;
  const ids: number[];
  const examples: TuningExample[];
  const maxTokens: number;
  const temperature: number;
  const topK: number;
  const topP: number;
  const seed: number;
  const stopIds: number[];
}
