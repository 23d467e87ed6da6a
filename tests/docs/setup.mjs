// What the snippets of the documents take for granted, as globals.d.ts declares it.
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { load } from 'stonechat';

const story = 'A wren sat on a stone. It sang to the rain, and the rain sang back. ';
const model = await load('story.gguf', { threads: 1, chatTemplate: 'chatml' });
const ids = [...model.tokenizer.encode(story)];

Object.assign(globalThis, {
  model,
  ids,
  writeFile,
  text: story.repeat(40),
  bytes: new Uint8Array(readFileSync('story.gguf')),
  tokenizer: model.tokenizer,
  documents: [ids, ids.toReversed()],
  context: ids.slice(0, 3),
  token: ids[3],
  examples: Array.from({ length: 8 }, (_, i) => ({ prompt: `Bird ${i}?`, completion: ` It sang ${i} songs.` })),
  maxTokens: 4,
  temperature: 0.8,
  topK: 10,
  topP: 0.9,
  seed: 1,
  stopIds: [0],
});
