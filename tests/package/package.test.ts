// What is published: file list, package map, the identical exports of all builds.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { ALL_SETS } from '../../src/kernels/sets.js';
import { dataOf, describeModule } from './wasm.js';

const run = promisify(execFile);
const npx = (...command: string[]) => run('npx', ['--no-install', ...command]);

interface Packed {
  files: { path: string }[];
}

const packed = run('npm', ['pack', '--dry-run', '--ignore-scripts', '--json']).then(({ stdout }) => {
  const [{ files }] = JSON.parse(stdout) as [Packed];
  return files.map(({ path }) => path);
});

const TARGETS = ['relaxed', 'relaxed-shared', 'scalar', 'scalar-shared', 'simd', 'simd-shared'];
const SETS = [...ALL_SETS, 'train', 'bench'];

describe('the packed files', () => {
  it('are dist/, documents, examples, README, CHANGELOG, LICENSE and package.json, and every kind of file in dist/ is expected', async () => {
    const files = await packed;
    const outside = files.filter((path) => !/^(dist|docs|examples)\//.test(path));
    expect(outside.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
    const known = new RegExp(
      `^dist/((node|browser|edge|cli|judge|samplers|static|errors|jinja|in-worker-browser|stonechat\\.browser|page-\\w+|(load|train|bench)-(node|browser|edge))\\.js(\\.map)?|default-model\\.js|` +
        `chunks/\\w+\\.js(\\.map)?|((train|bench)-)?kernels/(inline|workerd|edge-light|(${SETS.join('|')})-(${TARGETS.join('|')}))\\.js|THIRD-PARTY-NOTICES\\.txt|` +
        `wasm/(${SETS.join('|')})/(${TARGETS.join('|')})\\.wasm|worker/(model-)?(node|web|whole|program)\\.js|types/.*\\.d\\.ts)$`,
    );
    expect(files.filter((path) => path.startsWith('dist/') && !known.test(path))).toEqual([]);
  });

  it('hold all that README links to, and say where the source and the bugs are', async () => {
    const files = await packed;
    const links = [...readFileSync('README.md', 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1]!);
    expect(links.length).toBeGreaterThan(8);
    expect(links.filter((link) => !files.some((path) => path === link || path.startsWith(`${link}/`)))).toEqual([]);
    const { repository, homepage, bugs } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, object>;
    expect([repository, homepage, bugs].every(Boolean)).toBe(true);
  });

  it('hold every file that the package map names', async () => {
    const files = new Set(await packed);
    const { exports, imports, bin } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, unknown>;
    const named = JSON.stringify([exports, imports, bin]).match(/(?:\.\/)?dist\/[^"*]+(?=")/g) ?? [];
    expect(named.length).toBeGreaterThan(8);
    expect(named.map((path) => path.replace('./', '')).filter((path) => !files.has(path))).toEqual([]);
  });

  it('start the command line by a shebang', () => {
    expect(readFileSync('dist/cli.js', 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });
});

describe('the scripts', () => {
  const scripts = ['dist', 'dist/chunks', 'dist/worker'].flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith('.js')).map((name) => join(folder, name)));
  /** Modules that are one text. */
  const isText = (path: string) => /default-model\.js$|worker\/(model-)?(node|web|whole)\.js$/.test(path);

  it('have short lines, so that an uncaught error prints the one it stands in, but where only browsers run them', () => {
    const longest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));
    const long = scripts.filter((path) => !isText(path) && !path.startsWith('dist/worker/')).map((path) => ({ path, longest: longest(readFileSync(path, 'utf8')) }));
    expect(long.length).toBeGreaterThan(30);
    expect(long.filter(({ longest }) => longest > 1000)).toEqual([]);
  });

  it('print little at an uncaught error, of a worker too', async () => {
    const uncaught = (program: string) => run(process.execPath, ['--input-type=module', '-e', program]).then(() => '', ({ stderr }: { stderr: string }) => stderr);
    for (const name of ['load', 'loadInWorker']) {
      const printed = await uncaught(`import { ${name} } from 'stonechat'; await ${name}('nowhere.gguf');`);
      expect(printed).toContain('Expected a file nowhere.gguf, found none.');
      expect(printed.length).toBeLessThan(3000);
    }
  });

  it('have source maps beside them, where they are no text', () => {
    const mapped = scripts.filter((path) => !isText(path) && !path.startsWith('dist/worker/'));
    for (const path of mapped) {
      expect(readFileSync(path, 'utf8')).toMatch(/(^|\n)\/\/# sourceMappingURL=[\w.-]+\.js\.map\n$/);
      expect(JSON.parse(readFileSync(`${path}.map`, 'utf8'))).toHaveProperty('mappings');
    }
  });

  it('of stonechat/static and of stonechat.browser.js stand alone: no bare imports, and no import() in the former', () => {
    const imports = (path: string) => [...readFileSync(path, 'utf8').matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g)].map((match) => match[1]!);
    expect(readFileSync('dist/static.js', 'utf8')).not.toMatch(/\bimport\s*\(/);
    expect(imports('dist/static.js')).toEqual([]);
    const page = ['dist/stonechat.browser.js', ...scripts.filter((path) => path.includes('page-'))];
    expect(page.flatMap(imports).filter((specifier) => !specifier.startsWith('.'))).toEqual([]);
  });

  it('bring the notice of the AssemblyScript loader', () => {
    expect(readFileSync('dist/THIRD-PARTY-NOTICES.txt', 'utf8')).toMatch(/@assemblyscript\/loader [\d.]+ \(Apache-2\.0\)[^]*Daniel Wirtz[^]*Apache License/);
  });

  it.each(['load-edge', 'load-browser'])('await nothing inside of WebAssembly.compile(…) in %s, which Next rewrites', async (entry) => {
    const { outputFiles } = await build({ entryPoints: [`dist/${entry}.js`], bundle: true, write: false, format: 'esm', external: ['#kernels', '#worker/*'] });
    const calls = outputFiles[0]!.text.match(/WebAssembly\.(compile|instantiate)\([^;]{0,80}/g)!;
    expect(calls.length).toBeGreaterThan(0);
    expect(calls.filter((call) => call.includes('await'))).toEqual([]);
  });
});

describe('the package map', () => {
  it('passes publint --strict', async () => {
    const { stdout } = await npx('publint', '--strict', '--pack', 'false');
    expect(stdout).toContain('All good!');
  });

  it('gives types to ES modules and bundlers (attw, esm-only)', { timeout: 240_000 }, async () => {
    const { stdout } = await npx('attw', '--pack', '.', '--profile', 'esm-only', '--format', 'json', '--exclude-entrypoints', './kernels/*.wasm', './worker.js', './model-worker.js');
    const { analysis } = JSON.parse(stdout) as { analysis: { problems: { kind: string; resolutionKind?: string }[] } };
    const esm = analysis.problems.filter(({ resolutionKind }) => resolutionKind !== 'node10' && resolutionKind !== 'node16-cjs');
    expect(esm).toEqual([]);
  });

  it.each([
    ['workerd', 'edge', 'workerd'],
    ['edge-light', 'edge', 'edge-light'],
    ['browser', 'browser', 'inline'],
    ['deno', 'node', 'inline'],
    ['bun', 'node', 'inline'],
    ['node', 'node', 'inline'],
    ['nothing-known', 'browser', 'inline'],
  ])('under the condition %s gives the entry %s with the kernels as %s', async (condition, entry, kernels) => {
    const { metafile } = await build({
      stdin: { contents: "export * from 'stonechat';", resolveDir: process.cwd() },
      bundle: true,
      write: false,
      metafile: true,
      format: 'esm',
      platform: 'neutral',
      conditions: [condition],
      external: ['node:*', '*.wasm', '*.wasm?module'],
    });
    const inputs = Object.keys(metafile.inputs);
    expect(inputs.filter((path) => /^dist\/\w+\.js$/.test(path) && !/(errors|jinja)\.js$/.test(path))).toEqual([`dist/${entry}.js`]);
    expect(inputs.filter((path) => /kernels\/(inline|workerd|edge-light)\.js$/.test(path))).toEqual([`dist/kernels/${kernels}.js`]);
  });

  it('exports the same names from every entry', async () => {
    const names = async (entry: string) => Object.keys((await import(`../../dist/${entry}.js`)) as object).sort();
    const node = await names('node');
    expect(node).toContain('StonechatError');
    expect(await names('browser')).toEqual(node);
    expect(await names('edge')).toEqual(node);
    expect(await names('static')).toEqual(node);
    expect(await names('stonechat.browser')).toEqual(node);
    const train = ['NgramModel', 'StonechatError', 'compare', 'convert', 'finetune', 'generateNgrams', 'learnNgrams', 'learnTokenizer', 'merge', 'readNgrams', 'train', 'writeNgrams'];
    for (const host of ['node', 'browser', 'edge']) expect(await names(`train-${host}`)).toEqual(train);
    const training = await names('train-node');
    expect(training).toContain('train');
    expect(await names('train-browser')).toEqual(training);
    expect(await names('train-edge')).toEqual(training);
  });
});

describe('the six kernel modules of each set', () => {
  const files = SETS.flatMap((set) => TARGETS.map((target) => `${set}/${target}`));

  it('are all there and nothing else', () => {
    const found = readdirSync('dist/wasm', { recursive: true }) as string[];
    expect(found.filter((name) => name.endsWith('.wasm')).sort()).toEqual(files.map((file) => `${file}.wasm`).sort());
  });

  it.each(files)('%s exports the functions of simd with their signatures, and imports only the memory', (file) => {
    const module = describeModule(readFileSync(`dist/wasm/${file}.wasm`));
    const simd = describeModule(readFileSync(`dist/wasm/${file.replace(/[^/]*$/, '')}simd.wasm`));
    expect(module.exports.length).toBeGreaterThan(0);
    expect(module.exports).toEqual(simd.exports);
    expect(module.imports).toEqual(['env.memory']);
  });

  it.each(TARGETS)('lay their tables beside each other, below what the arena hands out (%s)', (target) => {
    const data = SETS.flatMap((set) => dataOf(readFileSync(`dist/wasm/${set}/${target}.wasm`)).map((segment) => Object.assign(segment, { set })));
    data.sort((a, b) => a.first - b.first);
    expect(data.filter(({ first }, i) => i > 0 && first < data[i - 1]!.end)).toEqual([]);
    expect(data.at(-1)!.end).toBeLessThanOrEqual(65536);
    const order = data.map(({ set }) => set).filter((set, i, all) => set !== all[i - 1]);
    expect(order, 'each set has a place of its own').toEqual([...new Set(order)]);
  });

  it('say what they are', () => {
    const kind = (target: string, shared: boolean) => {
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared });
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(`dist/wasm/core/${target}.wasm`)), { env: { memory } });
      return (exports as { build_kind: () => number }).build_kind();
    };
    expect([kind('scalar', false), kind('simd', false), kind('scalar-shared', true), kind('simd-shared', true)]).toEqual([0, 1, 4, 5]);
  });
});
