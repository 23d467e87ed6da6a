// What a page downloads to generate: an application that imports `load`, bundled, minified and gzipped.
import { gzipSync } from 'node:zlib';
import { build, type Metafile, type OutputFile } from 'esbuild';
import { expect, it } from 'vitest';

const LIMIT = 150_000;

/** Names of the outputs that `name` imports, itself first: statically, and those dynamic ones that `follow` accepts. */
function closure({ outputs }: Metafile, name: string, follow: (inputs: string[]) => boolean, seen = new Set([name])): string[] {
  for (const { path, kind, external } of outputs[name]!.imports) {
    const wanted = kind !== 'dynamic-import' || follow(Object.keys(outputs[path]?.inputs ?? {}));
    if (external || !wanted || seen.has(path)) continue;
    seen.add(path);
    closure({ inputs: {}, outputs }, path, follow, seen);
  }
  return [...seen];
}

async function bundleApplication(): Promise<{ metafile: Metafile; files: Map<string, OutputFile> }> {
  const { metafile, outputFiles } = await build({
    stdin: { contents: "import { load } from 'stonechat'; globalThis.load = load;", resolveDir: process.cwd(), sourcefile: 'app.js' },
    bundle: true,
    minify: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external: ['@huggingface/jinja'], // loaded only to render a chat template
    outdir: 'out',
    metafile: true,
    write: false,
  });
  return { metafile, files: new Map(outputFiles.map((file) => [`out/${file.path.split('/out/')[1]}`, file])) };
}

it('JavaScript and the largest kernels stay within 150 KB gzipped', async () => {
  const { metafile, files } = await bundleApplication();
  const sizes = ['relaxed', 'relaxed-shared', 'simd', 'simd-shared'].map((variant) => {
    const names = closure(metafile, 'out/stdin.js', (inputs) => inputs.includes(`dist/kernels/${variant}.js`));
    const bytes = names.map((name) => gzipSync(files.get(name)!.contents, { level: 9 }).length);
    return { variant, files: names.length, gzipped: bytes.reduce((sum, size) => sum + size, 0) };
  });
  console.log(sizes.map(({ variant, gzipped }) => `to generate with ${variant}: ${(gzipped / 1000).toFixed(1)} KB gzipped`).join('\n'));
  for (const { variant, files: count, gzipped } of sizes) {
    expect(count, `${variant} is in a chunk of its own`).toBeGreaterThan(1);
    expect(gzipped, variant).toBeLessThanOrEqual(LIMIT);
  }
});
