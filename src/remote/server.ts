// The worker's side of a model in a worker.
import type { Generation, LoadOptions, LoraSource, Model, Session, Source, Token } from '../generate/types.js';
import type { Build, HostSettings, KernelSet } from '../host/host.js';
import type { TextStream } from '../text/types.js';
import { packError } from './failure.js';
import { type Call, type Methods, Peer } from './peer.js';
import { useCaller } from './jinja.js';
import type { AppendCall, Beginning, Lacking, LoadCall, Loaded, NextAnswer, NextCall } from './protocol.js';
import { isRestWanted } from './rest.js';
import { type PackedSource, unpackSource } from './source.js';
import type { TOKENIZER_METHODS } from './types.js';

type Load = (source: Source, options: LoadOptions) => Promise<Model>;
type Compile = (build: Build, shared: boolean, set: KernelSet) => Promise<WebAssembly.Module | undefined>;

/** A generation or a scoring under way. */
interface Running {
  readonly tokens: AsyncIterator<Token, undefined>;
  readonly controller: AbortController;
  readonly summary: Generation['summary'] | undefined;
  /** Where the call in progress wants to hear of the prompt. */
  tell: Call['tell'];
}

/** Kernels come from the other side, each set of a build once. */
function kernelsFrom(peer: Peer): NonNullable<HostSettings['kernels']> {
  const compiled = new Map<string, ReturnType<Compile>>();
  const compile: Compile = async (build, shared, set) => {
    const code = await peer.call<BufferSource | WebAssembly.Module | undefined>('kernels', { build, shared, set });
    if (!code) return undefined;
    return Object.prototype.toString.call(code) === '[object WebAssembly.Module]' ? (code as WebAssembly.Module) : WebAssembly.compile(code as BufferSource);
  };
  return (build, shared, set) => {
    const key = `${build} ${shared} ${set}`;
    const module = compiled.get(key) ?? compile(build, shared, set);
    compiled.set(key, module);
    return module;
  };
}

/** What is no list of adapters goes on as it is: `load` refuses it. */
function unpackAdapters(lora: NonNullable<LoadCall['options']['lora']>, unpack: (source: PackedSource) => Source): readonly LoraSource[] {
  if (!Array.isArray(lora)) return lora as never;
  return lora.map((each: (typeof lora)[number]) => (typeof each === 'object' && each !== null ? { ...each, source: unpack(each.source) } : (each as never)));
}

class ModelServer {
  private model!: Model;
  private readonly sessions = new Map<number, Session>();
  private readonly running = new Map<number, Running>();
  private readonly texts = new Map<number, TextStream>();

  constructor(
    private readonly load: Load,
    private readonly peer: () => Peer,
  ) {}

  readonly methods: Methods = {
    load: async (call: LoadCall, more): Promise<Loaded | Lacking> => {
      try {
        const loaded = await this.open(call, more);
        return isRestWanted() ? { lacking: true } : loaded;
      } catch (error) {
        if (isRestWanted()) return { lacking: true };
        throw error;
      }
    },
    openSession: ({ session }: { session: number }) => void this.sessions.set(session, this.model.createSession()),
    append: ({ session, prompt, options }: AppendCall, { signal, tell }) => this.sessions.get(session)!.append(prompt as string, { ...options, signal, onProgress: tell }),
    forkSession: ({ session, fork }: { session: number; fork: number }) => void this.sessions.set(fork, this.sessions.get(session)!.fork()),
    saveSession: ({ session }: { session: number }) => this.sessions.get(session)!.save(),
    restoreSession: async ({ session, saved }: { session: number; saved: Uint8Array }) => void this.sessions.set(session, await this.model.restoreSession(saved)),
    closeSession: ({ session }: { session: number }) => {
      this.sessions.get(session)?.dispose();
      this.sessions.delete(session);
    },
    next: (call: NextCall, more) => this.next(call, more),
    leave: async ({ stream }: { stream: number }) => {
      const running = this.running.get(stream);
      this.running.delete(stream);
      running?.controller.abort();
      await running?.tokens.return?.();
    },
    logits: ({ prompt, options }: { prompt: string; options: object }, { signal }) => this.model.logits(prompt, { ...options, signal }),
    renderChat: ({ messages, options }: { messages: Parameters<Model['renderChat']>[0]; options?: Record<string, unknown> }) => this.model.renderChat(messages, options),
    tokenizer: ({ name, list }: { name: (typeof TOKENIZER_METHODS)[number]; list: [never, never] }) => this.model.tokenizer[name](...list),
    openText: ({ text, options }: { text: number; options: Parameters<Model['tokenizer']['stream']>[0] }) => void this.texts.set(text, this.model.tokenizer.stream(options)),
    pushText: ({ text, id }: { text: number; id: number }) => this.texts.get(text)?.push(id),
    flushText: ({ text }: { text: number }) => this.texts.get(text)?.flush(),
    closeText: ({ text }: { text: number }) => void this.texts.delete(text),
  };

  private async open({ source, options: { lora, tokenizer, ...plain } }: LoadCall, { signal, tell }: Call): Promise<Loaded> {
    const peer = this.peer();
    const options: LoadOptions = { ...plain, kernels: kernelsFrom(peer), signal, onProgress: tell };
    const silent = { signal };
    if (lora !== undefined) options.lora = unpackAdapters(lora, (adapter) => unpackSource(peer, adapter, silent));
    if (tokenizer !== undefined) options.tokenizer = unpackSource(peer, tokenizer, silent);
    this.model = await this.load(unpackSource(peer, source, options), options);
    this.sessions.set(0, this.model);
    return describe(this.model);
  }

  private async next({ stream, beginning, aborted }: NextCall, { signal, tell }: Call): Promise<NextAnswer> {
    const running = beginning ? this.begin(stream, beginning) : this.running.get(stream)!;
    const stop = () => running.controller.abort();
    running.tell = tell;
    if (aborted) stop();
    signal.addEventListener('abort', stop);
    try {
      const { done, value: token } = await running.tokens.next();
      if (done) this.running.delete(stream);
      return { token, summary: withoutText(running) };
    } catch (error) {
      this.running.delete(stream);
      return { error: packError(error), summary: withoutText(running) };
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  private begin(stream: number, { kind, session, prompt, options }: Beginning): Running {
    const controller = new AbortController();
    const { signal } = controller;
    const running: Running = { controller, ...this.start(kind, session, prompt as string, { ...options, signal }, (event) => running.tell(event)), tell: () => {} };
    this.running.set(stream, running);
    return running;
  }

  private start(kind: Beginning['kind'], session: number, prompt: string, options: Beginning['options'] & { signal: AbortSignal }, onProgress: Call['tell']): Pick<Running, 'tokens' | 'summary'> {
    if (kind === 'score') return { tokens: this.sessions.get(session)!.score(prompt, { ...options, onProgress }), summary: undefined };
    const generation = this.sessions.get(session)!.generate(prompt, { ...options, onProgress });
    return { tokens: generation, summary: generation.summary };
  }
}

function withoutText({ summary }: Running): NextAnswer['summary'] {
  if (!summary) return undefined;
  const { text: _, ...rest } = summary;
  return rest;
}

function describe({ info, tokenizer }: Model): Loaded {
  const { kind, size, bos, eos, unk, stopIds, chatTemplate, specialTokens } = tokenizer;
  return { info, tokenizer: { kind, size, bos, eos, unk, stopIds: new Set(stopIds), chatTemplate, specialTokens } };
}

/** Serves one model to whoever is at the other end of `post`; the result takes what comes from there. */
export function serveModel(load: Load, post: (message: unknown) => void): (message: unknown) => void {
  const server = new ModelServer(load, () => peer);
  const peer: Peer = new Peer(post, server.methods);
  useCaller(peer);
  return (message) => peer.receive(message);
}
