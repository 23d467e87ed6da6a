// Every training kernel has its f64 twin, named as the kernel's file is, and a test that holds one against the other.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { loadTrain } from './support.js';

const source = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const tests = readdirSync(new URL('.', import.meta.url)).filter((file) => file.endsWith('.test.ts')).map((file) => source(`./${file}`));
const exported = [...source('../../assembly/train.ts').matchAll(/export \{([^}]*)\} from '\.\/kernels\/(\w+)'/g)].flatMap(([, names, file]) =>
  names!.split(',').map((name) => ({ name: name.trim().replace(/.* as /, ''), reference: file!.replace(/_grad$/, '') })),
);
/** Sizes and numbers of items, and what the module says of itself: nothing is computed there. */
const computes = exported.filter(({ name }) => name && !/_(bytes|items)$/.test(name));

it('is a list of what the module exports', () => {
  expect(computes.length).toBeGreaterThan(20);
  const { exports } = loadTrain('scalar');
  expect(exported.filter(({ name }) => name && !(name in exports))).toEqual([]);
});

it('has a reference for every training kernel', () => {
  expect(computes.filter(({ reference }) => !existsSync(new URL(`../reference/${reference}.ts`, import.meta.url)))).toEqual([]);
});

it('has a test for every training kernel that takes the reference in', () => {
  const names = tests.map((text) => {
    const templates = [...text.matchAll(/`(\w*\$\{\w+\}\w*)`/g)].map(([, template]) => new RegExp(`^${template!.replace(/\$\{\w+\}/g, '\\w+')}$`));
    return (name: string) => new RegExp(`\\b${name}\\b`).test(text) || templates.some((template) => template.test(name));
  });
  const tested = ({ name, reference }: { name: string; reference: string }) => tests.some((text, i) => names[i]!(name) && text.includes(`reference/${reference}.js`));
  expect(computes.filter((kernel) => !tested(kernel))).toEqual([]);
});
