// N-gram files as models: the same tokens, samplers and judges as for any other.
import { StonechatError } from '../errors.js';
import { openModel } from '../files/index.js';
import { allocate } from '../files/refuse.js';
import { createModel } from '../generate/model.js';
import type { LoadOptions, Model } from '../generate/types.js';
import type { ByteSource, Host } from '../host/host.js';
import { Arena } from '../kernels/arena.js';
import { instantiateKernels, newMemory } from '../kernels/instance.js';
import { chatRenderer } from './chat-renderer.js';
import { type KernelSource, tokenizerAt, tokenizerFromModel } from '../text/index.js';
import type { Tokenizer } from '../text/types.js';
import { NGRAM_MAGIC, readNgrams } from '../train/ngram/file.js';
import type { NgramModel } from '../train/ngram/model.js';
import { NgramRunner } from '../train/ngram/runner.js';
import { chooseBuild } from './load.js';

/** Texts may be long: nothing but the last few tokens counts. */
const CONTEXT = 4096;

/** Whether a file begins as n-gram models do. What cannot be opened is none: whoever loads it says why. */
export async function isNgramFile(host: Host, location: string): Promise<boolean> {
  if (/^(https?|blob|data):/i.test(location) || (await host.list(location)) !== undefined) return false;
  const source = await host.open(location).catch(() => undefined);
  try {
    const start = new Uint8Array(NGRAM_MAGIC.length);
    if (!source || source.size < start.length) return false;
    await source.read(0, start);
    return String.fromCharCode(...start) === NGRAM_MAGIC;
  } finally {
    await source?.close();
  }
}

/** @throws StonechatError `bad-file`, `truncated`, `not-found` without a tokenizer, `bad-option` for options of other models. */
export async function loadNgrams(host: Host, location: string, options: LoadOptions): Promise<Model> {
  refuseOthers(options);
  const build = chooseBuild(host, options.build);
  const module = await host.compile(build, false);
  const model = readNgrams(await readWhole(await host.open(location)), location);
  const tokenizer = await tokenizerOf(host, model, location, options, { build, module });
  if (tokenizer.size !== model.vocabulary) throw otherTokenizer(tokenizer, model);
  const kernels = instantiateKernels(module, build, newMemory(1, false));
  const arena = new Arena(kernels.memory);
  const runner = new NgramRunner(model, kernels, arena, options.contextLength ?? CONTEXT);
  return createModel({ runner, arena, tokenizer, renderChat: chatRenderer(tokenizer, options), yield: () => host.yield() }, {
    name: location, format: 'n-gram', architecture: `${model.order}-grams`, parameters: model.parameters, contextLength: runner.contextLength, trainedContextLength: runner.contextLength,
    layers: model.order, vocabulary: model.vocabulary, build, threads: 1, kvCache: 'f32', memoryBytes: arena.used, warnings: [],
  });
}

function refuseOthers({ lora, kvCache, activations }: LoadOptions): void {
  const other = Object.entries({ lora: lora?.length ? lora : undefined, kvCache, activations }).find(([, value]) => value !== undefined);
  if (!other) return;
  throw new StonechatError({ code: 'bad-option', expected: 'options that an n-gram model has', found: other[0], remedy: 'Leave it out: n-grams have no weights, no keys and values.' });
}

async function readWhole(source: ByteSource): Promise<Uint8Array> {
  try {
    const bytes = allocate(source.size, source.name);
    await source.read(0, bytes);
    return bytes;
  } finally {
    await source.close();
  }
}

async function tokenizerOf(host: Host, { content }: NgramModel, location: string, options: LoadOptions, kernels: KernelSource): Promise<Tokenizer> {
  if (options.tokenizer !== undefined) return tokenizerAt(options.tokenizer, kernels, { open: host.open, list: host.list });
  if (content.tokenizer) return tokenizerFromModel(await openModel(content.tokenizer), kernels);
  throw new StonechatError({
    code: 'not-found', expected: `a tokenizer in ${location}`, found: 'none: an earlier version wrote it',
    remedy: 'Name a model that was compared with it by --tokenizer (llama.gguf beside it).',
  });
}

const otherTokenizer = ({ size }: Tokenizer, { vocabulary }: NgramModel) =>
  new StonechatError({ code: 'bad-option', expected: `a tokenizer of ${vocabulary} ids, as many as the model counts`, found: `${size} ids`, remedy: 'Name the tokenizer that it was learnt with.' });
