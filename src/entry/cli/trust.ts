import type { Token } from '../../generate/types.js';
import { trust, trustHtml, type Trust } from '../../judge/index.js';
import type { EncodeOptions, Tokenizer } from '../../text/types.js';
import type { Arguments } from './arguments.js';
import { json, several, table } from './format.js';
import { answerOptions, encodingOptions, loadModel, promptOf } from './loading.js';
import { harmless, interruptible, printLine, ProgressBar } from './terminal.js';
import { usage } from './usage.js';
import { checkOutputs, saveText } from './writing.js';

/** A generation, or with --judge a given text, with how sure the model was of each word. */
export async function showTrust(args: Arguments): Promise<number> {
  const judged = args.text('judge');
  const given = judged ?? (await promptOf(args));
  if (typeof given !== 'string') throw usage('a text', 'token ids', 'Write the prompt as text.');
  const page = args.text('html');
  await checkOutputs(args, [page]);
  return interruptible(async (signal) => {
    using model = await loadModel(args, signal);
    const progress = new ProgressBar();
    const tokens: Token[] = [];
    const options = Object.fromEntries(Object.entries(answerOptions(args)).filter(([, value]) => value !== undefined));
    const reading = { ...encodingOptions(args), top: 2, signal, onProgress: progress.update };
    const source = judged === undefined ? model.generate(given, { maxTokens: 200, ...options, ...reading }) : model.score(given, reading);
    try {
      for await (const token of source) tokens.push(token);
    } finally {
      progress.end();
    }
    // The first token of a given text has nothing before it: it is shown as the prompt is, unjudged.
    const prompt = judged === undefined ? given : firstText(model.tokenizer, given, encodingOptions(args));
    const view = trust(tokens, { spans: args.number('spans') ?? 3 });
    if (page) await saveText(page, trustHtml(view, prompt));
    if (args.has('json')) await printLine(json({ prompt, ...view }));
    else await printLine(painted(prompt, view), true);
    return 0;
  });
}

/** The text of what stands before the first judged token. */
function firstText(tokenizer: Tokenizer, text: string, options: EncodeOptions): string {
  const [first] = tokenizer.encode(text, options);
  return first === undefined || tokenizer.isSpecial(first) ? '' : tokenizer.stream().push(first);
}

const DIM = '\u001b[2m', RED = '\u001b[31m', YELLOW = '\u001b[33m', UNDERLINE = '\u001b[4m', PLAIN = '\u001b[0m';

/** Below these probabilities a token is drawn in red, or yellow. */
const DOUBTFUL = 0.05, UNSURE = 0.3;

/** The text with colours by probability at a terminal, with marks [ ] around the least certain spans elsewhere; then the spans. */
function painted(prompt: string, { tokens, spans, meanProbability, meanEntropy }: Trust): string {
  const colours = process.stdout.isTTY;
  const before = colours ? `${DIM}${harmless(prompt)}${PLAIN}` : prompt;
  const words = tokens.map(({ text, probability, span }, i) => {
    if (colours) return `${span ? UNDERLINE : ''}${probability < DOUBTFUL ? RED : probability < UNSURE ? YELLOW : ''}${harmless(text)}${PLAIN}`;
    const opens = span && tokens[i - 1]?.span !== span, closes = span && tokens[i + 1]?.span !== span;
    const opened = opens ? text.replace(/^(\s*)/, '$1[') : text;
    return closes ? opened.replace(/(\s*)$/, ']$1') : opened;
  });
  const rows = spans.map(({ text, surprise }) => [`${(100 * Math.exp(-surprise)).toPrecision(2)} %`, text]);
  const summary = `${several(tokens.length, 'token')}, mean probability ${(100 * meanProbability).toFixed(1)} %, mean entropy ${meanEntropy.toFixed(2)} nats`;
  return `${before}${words.join('')}\n\n${summary}${rows.length ? `\nleast certain:\n${table(rows, [0])}` : ''}`;
}
