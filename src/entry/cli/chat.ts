import { createInterface } from 'node:readline';
import { StonechatError } from '../../errors.js';
import type { ChatMessage, Generation, Model } from '../../generate/types.js';
import { noTemplate } from '../../text/chat.js';
import type { Arguments } from './arguments.js';
import { speakFlags } from './flags.js';
import { json, several } from './format.js';
import { summaryOf } from './generate.js';
import { answerOptions, loadModel } from './loading.js';
import { ANSWER, LOADING, TEMPLATE } from './options.js';
import { endLine, INTERRUPTED, interruptible, print, printLine, ProgressBar, remark } from './terminal.js';
import { readInput } from './texts.js';

/** Questions and answers so far, and the answer that is being given. */
class Conversation {
  private history: ChatMessage[] = [];
  private running: AbortController | undefined;

  constructor(
    private readonly model: Model,
    private readonly args: Arguments,
  ) {
    this.clear();
  }

  /** Forgets all but what the model was told before. */
  clear(): void {
    const system = this.args.text('system');
    this.history = system === undefined ? [] : [{ role: 'system', content: system }];
  }

  /** Ends the answer that is being given; false if there is none. */
  interrupt(): boolean {
    this.running?.abort();
    return this.running !== undefined;
  }

  /** Answers, and keeps question and answer. A question that is refused leaves no trace. */
  async answer(question: string): Promise<void> {
    const asked: ChatMessage[] = [...this.history, { role: 'user', content: question }];
    this.running = new AbortController();
    const progress = new ProgressBar();
    const options = { top: 0, overflow: 'slide' as const, ...given(this.args), signal: this.running.signal, onProgress: progress.update };
    let generation: Generation;
    try {
      generation = this.model.generate(asked, options);
      await this.stream(generation, progress);
    } finally {
      progress.end();
      this.running = undefined;
    }
    const { summary } = generation;
    this.history = [...asked, { role: 'assistant', content: summary.text }];
    if (this.args.has('json')) return printLine(json({ content: summary.text, ...summaryOf(generation, this.model) }));
    await printLine('');
    remarkOn(generation);
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

const given = (args: Arguments) => Object.fromEntries(Object.entries(answerOptions(args)).filter(([, value]) => value !== undefined));

/** What a reader should know of an answer beside its text. */
function remarkOn({ summary }: Generation): void {
  const { finish, forgottenMessages } = summary;
  if (forgottenMessages > 0) tell(`The context is full: the oldest ${several(forgottenMessages, 'message')} went unread.`);
  if (finish === 'context') tell('The answer was cut: the context is full. A larger one: --context.');
  if (finish === 'length') remark('The answer was cut at --max-tokens.');
}

type Verdict = 'stay' | 'leave';

/** What is typed to the program in place of the model. */
const COMMANDS: Readonly<Record<string, { readonly help: string; readonly run: (conversation: Conversation) => Verdict }>> = {
  '/help': { help: 'show this', run: () => (tell(HELP()), 'stay') },
  '/clear': { help: 'forget the conversation', run: (conversation) => (conversation.clear(), tell('Forgotten.'), 'stay') },
  '/exit': { help: 'end the chat, as /quit, /bye and Ctrl-D do', run: () => 'leave' },
  '/quit': { help: '', run: () => 'leave' },
  '/bye': { help: '', run: () => 'leave' },
};

const HELP = (): string =>
  [...Object.entries(COMMANDS).filter(([, { help }]) => help).map(([name, { help }]) => `${name}  ${help}`), 'Ctrl-C ends an answer. A message that starts with / goes after a blank.'].join('\n');

/** For people and logs alike: on standard error. */
const tell = (text: string): void => void process.stderr.write(`${text}\n`);

/** A line to the model, or to the program. */
async function take(line: string, conversation: Conversation): Promise<Verdict> {
  if (line.trim() === '') return 'stay';
  if (!/^\/\w*\s*$/.test(line)) return conversation.answer(line).then(() => 'stay' as const);
  const command = Object.hasOwn(COMMANDS, line.trim()) ? COMMANDS[line.trim()] : undefined;
  if (command) return command.run(conversation);
  tell(`There is no command ${line.trim()}: /help lists them. A message that starts with / goes after a blank.`);
  return 'stay';
}

/** Errors that the next message may not meet. */
const PASSING = new Set(['context-full', 'bad-option', 'out-of-memory']);

/** Talks at a terminal: what goes wrong is said, and the talk goes on. */
async function talk(conversation: Conversation): Promise<number> {
  const input = createInterface({ input: process.stdin, output: process.stdout, terminal: true, prompt: '> ' });
  let warned = false;
  // At a terminal readline takes Ctrl-C. One that comes just after an answer must not end the chat.
  input.on('SIGINT', () => {
    if (conversation.interrupt()) return;
    if (warned) return input.close();
    warned = true;
    remark('\nCtrl-C again, Ctrl-D or /exit ends the chat.');
    input.prompt();
  });
  remark('/help lists commands. /exit or Ctrl-D ends the chat, Ctrl-C an answer.');
  input.prompt();
  try {
    for await (const line of input) {
      warned = false;
      if ((await take(line, conversation).catch(complain)) === 'leave') break;
      input.prompt();
    }
  } finally {
    input.close();
  }
  return 0;
}

async function complain(error: unknown): Promise<Verdict> {
  if (!(error instanceof StonechatError) || !PASSING.has(error.code)) throw error;
  await endLine();
  tell(speakFlags(error, [...ANSWER, ...LOADING, TEMPLATE]).message);
  return 'stay';
}

/** Answers line by line; ends at the first error. */
async function answerLines(conversation: Conversation): Promise<number> {
  const input = createInterface({ input: process.stdin, terminal: false });
  try {
    for await (const line of input) if ((await take(line, conversation)) === 'leave') break;
  } finally {
    // Else the process would wait for the rest of the pipe.
    input.close();
    process.stdin.destroy();
  }
  return 0;
}

/** One message, one answer. */
const answerOnce = (conversation: Conversation, message: string): Promise<number> =>
  interruptible(async (signal) => {
    signal.addEventListener('abort', () => conversation.interrupt());
    await conversation.answer(message);
    return signal.aborted ? INTERRUPTED : 0;
  });

/** Messages from the line or from standard input, answers as they come; the conversation so far goes along. */
export async function chat(args: Arguments): Promise<number> {
  const written = args.positionals.length > 0 ? args.positionals.join(' ') : undefined;
  using model = await loadModel(args);
  if (model.tokenizer.chatTemplate === undefined && !args.has('template')) throw noTemplate();
  const conversation = new Conversation(model, args);
  // `await`: the model lives until all is said.
  if (written !== undefined) return await answerOnce(conversation, written === '-' ? await readInput() : written);
  return await (process.stdin.isTTY && process.stdout.isTTY ? talk(conversation) : answerLines(conversation));
}
