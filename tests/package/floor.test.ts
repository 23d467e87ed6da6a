// What is published runs on the oldest versions that docs/runtimes.md names: neither its syntax nor what it calls is younger.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transform } from 'esbuild';
import { describe, expect, it } from 'vitest';

/** docs/runtimes.md, "Oldest versions". */
const OLDEST = ['chrome110', 'firefox115', 'safari16.4', 'node20.16'];

/** Younger than one of them; a check before the use, or a class of our own, may stand with them. */
const YOUNGER = [
  /\bAbortSignal\.any\b/, /\bArray\.fromAsync\b/, /\bPromise\.(withResolvers|try)\b/, /(?<!Uint8Array)\.(to|from)(Base64|Hex)\(/,
  /\b(Object|Map)\.groupBy\b/, /\bIterator\.(from|concat)\b/, /\.(isSubsetOf|isSupersetOf|isDisjointFrom|symmetricDifference)\(/,
  /\bRegExp\.escape\b/, /\bMath\.(f16round|sumPrecise)\b/, /\bFloat16Array\b/, /\bAtomics\.(waitAsync|pause)\b/,
  /\bError\.isError\b/, /\bReadableStream\.from\b/, /\.transferToFixedLength\(/, /\bnew DisposableStack\b/,
];

const files = readdirSync('dist', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.js') && !/(^|-)kernels\/|default-model/.test(name))
  .map((name) => join('dist', name));
const texts = files.map((name) => ({ name, text: readFileSync(name, 'utf8') }));

describe('the oldest versions', () => {
  it('know the syntax: what esbuild would lower for them is not there', { timeout: 120_000 }, async () => {
    expect(texts.length).toBeGreaterThan(10);
    // All of them know \p{…} (Safari since 11.1); esbuild turns it into text, since newer scripts are not known to all.
    const supported = { 'regexp-unicode-property-escapes': true };
    const code = async (text: string, target: string | string[]) => (await transform(text, { target, supported, legalComments: 'none' })).code;
    for (const { name, text } of texts) expect(await code(text, OLDEST) === (await code(text, 'esnext')), name).toBe(true);
  });

  it('know what is called, unless it is asked for first', () => {
    const found = texts.flatMap(({ name, text }) => YOUNGER.filter((api) => api.test(text)).map((api) => `${name}: ${api.source}`));
    expect(found).toEqual([]);
  });
});
