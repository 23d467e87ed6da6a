import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { specFromFile, tokenizerFromFile } from '../../src/text/index.js';
import { hasShared, kernels, kernelsOf, noShared, readShared, readSharedJson, SHARED } from './support/shared.js';

interface Case {
  text: string;
  ids: number[];
  special: number[];
  decoded: string;
  skipped: string;
}

interface Row {
  name: string;
  tokenizer: object;
  cases: Case[];
}

const open = (json: object, from = kernels) => tokenizerFromFile('tokenizer.json', new TextEncoder().encode(JSON.stringify(json)), from);
const rows = readFileSync(new URL('rules.jsonl', import.meta.url), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Row);

// Made by scripts/tokenizer-vectors.py with Python's tokenizers 0.23.
describe('tokenizer.json as Python reads it', () => {
  test.each(rows.map((row) => [row.name, row] as const))('%s', async (_, { tokenizer: json, cases }) => {
    const tokenizer = await open(json);
    for (const { text, ids, special, decoded, skipped } of cases) {
      const found = {
        text, ids: [...tokenizer.encode(text, { addSpecial: false, parseSpecial: true })], special: [...tokenizer.encode(text, { parseSpecial: true })],
        decoded: tokenizer.decode(ids, { special: true }), skipped: tokenizer.decode(special),
      };
      expect(found).toEqual({ text, ids, special, decoded, skipped });
      const stream = tokenizer.stream({ special: true });
      expect(ids.map((id) => stream.push(id)).join('') + stream.flush()).toBe(decoded);
    }
  });

  test('text never forms a special token unless it is asked to', async () => {
    for (const { tokenizer: json, cases } of rows) {
      const tokenizer = await open(json);
      const special = (id: number) => tokenizer.isSpecial(id) && id !== tokenizer.unk && !/^<0x..>$/.test(tokenizer.token(id));
      const formed = cases.flatMap(({ text }) => [...tokenizer.encode(text, { addSpecial: false })].filter(special));
      expect(formed).toEqual([]);
    }
  });

  test('every build gives the same ids', async () => {
    const one = rows.find(({ name }) => name === 'Replace before byte level')!;
    for (const build of ['scalar', 'simd'] as const) {
      const tokenizer = await open(one.tokenizer, kernelsOf(build));
      for (const { text, ids } of one.cases) expect([...tokenizer.encode(text, { addSpecial: false, parseSpecial: true })]).toEqual(ids);
    }
  });
});

describe.skipIf(!hasShared)(`known vocabularies keep the fast way (${noShared} otherwise)`, () => {
  test.each(['gpt2', 'gpt-neox-20b'])('%s', async (name) => {
    expect((await specFromFile('tokenizer.json', readShared(`tokenizers/${name}/tokenizer.json`), async () => undefined)).rules).toBeUndefined();
  });
});

describe.skipIf(!hasShared)(`../shared/data/faults/tokenizers (${noShared} otherwise)`, () => {
  const { cases } = hasShared ? readSharedJson<{ cases: { file: string; texts: { text: string; ids: number[] }[] }[] }>('faults/tokenizers.json') : { cases: [] };
  test.each(cases.map((one) => [one.file, one] as const))('%s', async (file, { texts }) => {
    const tokenizer = await tokenizerFromFile(file, readShared(`faults/${file}`), kernels);
    for (const { text, ids } of texts) expect([...tokenizer.encode(text, { parseSpecial: true })], text).toEqual(ids);
  });

  test('of 300 random ones at most 1 % wrong, 5 % refused', async () => {
    const lines = readFileSync(`${SHARED}tokenizers-random/cases.jsonl`, 'utf8').trim().split('\n').slice(1);
    const counts = { right: 0, wrong: 0, refused: 0 };
    for (const line of lines) {
      const { file, cases } = JSON.parse(line) as { file: string; cases: Case[] };
      const tokenizer = await tokenizerFromFile(file, readShared(`tokenizers-random/${file}`), kernels).catch(() => undefined);
      const right = tokenizer && cases.every(({ text, ids, decoded }) => [...tokenizer.encode(text, { addSpecial: false, parseSpecial: true })].join() === ids.join() && tokenizer.decode(ids, { special: true }) === decoded);
      counts[tokenizer ? (right ? 'right' : 'wrong') : 'refused']++;
    }
    expect(counts.wrong).toBeLessThanOrEqual(0.01 * lines.length);
    expect(counts.refused).toBeLessThanOrEqual(0.05 * lines.length);
  }, 120_000);
});
