import { perplexity } from '../../judge/index.js';
import type { Arguments } from './arguments.js';
import { sayTypes, typesOf, write } from './convert.js';
import { bytes, json, table } from './format.js';
import { stonechat } from './loading.js';
import { documentsOf } from './texts.js';
import { printLine } from './terminal.js';
import { usage } from './usage.js';
import { checkOutputs } from './writing.js';

/** Text of our own, for perplexity before and after where no --text is given. */
const SAMPLE = `The kettle had just begun to sing when somebody knocked at the door. It was a small knock, low down, the kind that a child makes, or a hen.
"Come in," said the old woman, and she put another cup on the table. Nobody came in. The knock came again, three times, and then a scratch.
She opened the door. On the step sat a bird no bigger than an apple, black on the head, white at the neck, and as red in front as the last light of the day. It looked at her first with one eye and then with the other.
"I was told," said the bird, "that you have a stove, and that you do not talk too much."
"Both are true," said the old woman. "Wipe your feet."
So the winter began. In the morning the bird told her what it had dreamed, and in the evening she told it what she had forgotten. When the snow lay as high as the window they burned the broken chair, and when the chair was gone they burned the story that neither of them had liked.
By March they had used up all their words but four. The bird kept two and the old woman kept two, and they saved them for the day when the ice would leave the river.`;

/** The documents of a file; without one, a text of our own. */
async function textsOf(path: string | undefined): Promise<string[]> {
  if (path === undefined) return [SAMPLE];
  const texts: string[] = [];
  for await (const text of documentsOf([path])) texts.push(text);
  return texts;
}

export async function quantize(args: Arguments): Promise<number> {
  const [from, to, ...rest] = args.positionals;
  const type = args.text('type');
  if (!from || !to || rest.length > 0) throw usage('two files: what to read, and what to write', args.positionals.join(' ') || 'none', 'Write stonechat quantize in.gguf out.gguf --type q4_0; what is read may have any format.');
  if (!type) throw usage('--type', 'none', 'Write --type q4_0, for instance.');
  const tokenizer = args.text('tokenizer');
  await checkOutputs(args, [to], [from]);
  const text = args.has('no-perplexity') ? undefined : await textsOf(args.text('text'));
  const judge = async (path: string, own?: string) => {
    using model = await stonechat.load(path, { tokenizer: own });
    return await perplexity(model, text!, { window: 512 }); // before the model is disposed of
  };
  const first = text === undefined ? undefined : await judge(from, tokenizer); // before anything is written
  const result = await write(args, from, to, typesOf(args));
  const { files, sourceBytes, fallbacks } = result;
  sayTypes(args, result, from, to);
  const second = text === undefined ? undefined : await judge(to);
  const sizes = { before: sourceBytes, after: files[0]!.fileBytes };
  const row = (path: string, size: number, found: typeof first) => [path, bytes(size), ...(found ? [`perplexity ${found.perplexity.toFixed(3)}`, `${found.bitsPerByte.toFixed(4)} bits per byte`] : [])];
  await printLine(args.has('json') ? json({ type, before: { path: from, fileBytes: sizes.before, ...first }, after: { path: to, fileBytes: sizes.after, ...second }, fallbacks }) : table([row(from, sizes.before, first), row(to, sizes.after, second)], [1]));
  return 0;
}
