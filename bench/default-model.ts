/**
 * The model of the package beside what came before it, on stories that none of them was shown by us: bits per byte of each
 * story by itself (its text only, not its end), summed over all. The 5-gram model learns from the same stories with the
 * same tokenizer. TinyStories-656K was trained by its authors on stories of the same kind; which, is not recorded.
 *
 *   npx esbuild bench/default-model.ts --bundle --platform=node --format=esm --packages=external --outfile=.cache/bench/default-model.mjs
 *   node .cache/bench/default-model.mjs --training TRAINING.txt --held-out HELD-OUT.txt MODEL...
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { load, type Model } from 'stonechat';
import { perplexity } from '../src/judge/index.js';
import { splitDocuments } from '../src/train/data/corpus.js';
import { learnNgrams } from '../src/train/ngram/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { training: { type: 'string' }, 'held-out': { type: 'string' }, order: { type: 'string', default: '5' } },
});
const stories = (path: string | undefined) => splitDocuments(readFileSync(path!, 'utf8'));
const heldOut = stories(values['held-out']);
const bytes = heldOut.reduce((sum, story) => sum + Buffer.byteLength(story), 0);

const show = (name: string, parameters: number, nats: number, tokens: number) =>
  console.log(`| ${name} | ${parameters.toLocaleString('en')} | ${(nats / Math.LN2 / bytes).toFixed(4)} | ${Math.exp(nats / tokens).toFixed(2)} | ${(bytes / tokens).toFixed(2)} |`);

async function judge(model: Model, name: string): Promise<void> {
  let nats = 0;
  let tokens = 0;
  for (const story of heldOut) {
    const found = await perplexity(model, story);
    nats += found.bitsPerByte * found.bytes * Math.LN2;
    tokens += found.tokens;
  }
  show(name, model.info.parameters, nats, tokens);
}

function judgeNgrams({ tokenizer }: Model, order: number): void {
  const start = tokenizer.bos ?? tokenizer.eos!;
  const end = tokenizer.eos ?? start;
  const ids = (story: string) => [start, ...tokenizer.encode(story, { addSpecial: false })];
  const model = learnNgrams(stories(values.training).map((story) => ids(story).concat(end)), { order, vocabularySize: tokenizer.size });
  const scores = heldOut.map((story) => model.score(ids(story)));
  show(`${order}-gram, modified Kneser-Ney`, model.parameters, scores.reduce((sum, { nats }) => sum + nats, 0), scores.reduce((sum, { tokens }) => sum + tokens, 0));
}

console.log(`${heldOut.length} stories, ${bytes.toLocaleString('en')} bytes\n\n| model | parameters | bits per byte | perplexity per token | bytes per token |\n|---|---:|---:|---:|---:|`);
for (const [i, path] of positionals.entries()) {
  const model = await load(path);
  await judge(model, basename(path));
  if (i === 0 && values.training) judgeNgrams(model, Number(values.order));
  model.dispose();
}
