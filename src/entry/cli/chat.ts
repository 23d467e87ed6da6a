import { createInterface } from 'node:readline';
import { StonechatError } from '../../errors.js';
import type { ChatMessage, Generation, Model } from '../../generate/types.js';
import type { Arguments } from './arguments.js';
import { json } from './format.js';
import { summaryOf } from './generate.js';
import { answerOptions, loadModel } from './loading.js';
import { print, printLine, ProgressBar, remark } from './terminal.js';
import { usage } from './usage.js';

const FAREWELLS = new Set(['/exit', '/quit', '/bye']);

/** Questions and answers so far, and the answer that is being given. */
class Conversation {
  private readonly history: ChatMessage[];
  private running: AbortController | undefined;

  constructor(
    private readonly model: Model,
    private readonly args: Arguments,
  ) {
    const system = args.text('system');
    this.history = system === undefined ? [] : [{ role: 'system', content: system }];
  }

  /** Ends the answer that is being given; false if there is none. */
  interrupt(): boolean {
    this.running?.abort();
    return this.running !== undefined;
  }

  async answer(question: string): Promise<void> {
    this.history.push({ role: 'user', content: question });
    this.running = new AbortController();
    const progress = new ProgressBar();
    const options = { top: 0, ...answerOptions(this.args), signal: this.running.signal, onProgress: progress.update };
    const generation = this.model.generate(this.history, options);
    try {
      await this.stream(generation, progress);
    } finally {
      progress.end();
      this.running = undefined;
    }
    this.history.push({ role: 'assistant', content: generation.summary.text });
    const asJson = this.args.has('json');
    await printLine(asJson ? json({ content: generation.summary.text, ...summaryOf(generation, this.model) }) : '');
  }

  private async stream(generation: Generation, progress: ProgressBar): Promise<void> {
    const silent = this.args.has('json');
    try {
      for await (const { text } of generation) {
        progress.end();
        if (!silent) await print(text);
      }
    } catch (error) {
      if (!(error instanceof StonechatError && error.code === 'aborted')) throw error;
    }
  }
}

/** Questions from standard input, answers as they come; the conversation so far goes along. */
export async function chat(args: Arguments): Promise<number> {
  if (args.positionals.length > 0) throw usage('no text after chat', args.positionals.join(' '), 'Type it when asked, or pipe it in.');
  using model = await loadModel(args);
  const conversation = new Conversation(model, args);
  const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const input = createInterface({ input: process.stdin, output: terminal ? process.stdout : undefined, terminal, prompt: terminal ? '> ' : '' });
  // At a terminal readline takes Ctrl-C.
  input.on('SIGINT', () => conversation.interrupt() || input.close());
  if (terminal) {
    remark('/exit or Ctrl-D ends the chat, Ctrl-C an answer.');
    input.prompt();
  }
  for await (const line of input) {
    if (FAREWELLS.has(line.trim())) break;
    if (line.trim() !== '') await conversation.answer(line);
    if (terminal) input.prompt();
  }
  input.close();
  return 0;
}
