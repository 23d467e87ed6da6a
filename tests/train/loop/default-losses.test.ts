// The first 113 losses and gradient norms of the default model's training, as they were before the house was rebuilt.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { train } from '../../../src/entry/train-node.js';
import { dataPath } from '../../golden/data.js';

const STORIES = dataPath('corpora/stories/tinystories_cased_merged.txt');
const reason = process.env['STONECHAT_LONG'] !== '1' ? ' (skipped: minutes; STONECHAT_LONG=1 runs it)' : existsSync(STORIES) ? '' : ` (skipped: no ${STORIES})`;
const here = (path: string) => readFileSync(join(import.meta.dirname, path), 'utf8');

/** As scripts/train-default.mjs divides the stories. */
function isHeldOut(story: string): boolean {
  const hash = Buffer.from(story).reduce((value, byte) => Math.imul(value ^ byte, 0x01000193), 0x811c9dc5) >>> 0;
  return hash % 20 === 0;
}

const camel = (name: string): string => name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

it.skipIf(reason !== '')(`the default model learns as it did${reason}`, async () => {
  const pinned = JSON.parse(here('pinned/default-losses.json')) as [loss: number, norm: number][];
  const { config, options } = JSON.parse(here('../../../scripts/default-model.json')) as { config: object; options: Record<string, number | string> };
  const stories = readFileSync(STORIES, 'utf8').split('<|endoftext|>').map((story) => story.trim()).filter((story) => story !== '' && !isHeldOut(story));
  const found: [number, number][] = [];
  const stop = new AbortController();
  const learning = train(stories.map((story) => `${story}\n<|endoftext|>\n`).join(''), {
    config, ...Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value])), signal: stop.signal,
    onEvent: (event) => {
      if (event.kind !== 'step') return;
      found.push([event.loss, event.norm]);
      if (found.length === pinned.length) stop.abort();
    },
  });
  await expect(learning).rejects.toMatchObject({ code: 'aborted' });
  expect(found).toEqual(pinned);
}, 1_200_000);
