// Single words that users of other tools try. As prompts they would only make a model ramble.
import { nearest } from '../../generate/nearest.js';
import { usage } from './usage.js';

const MODELS = 'Models are files here: name one by --model FILE. stonechat inspect FILE shows what is in it.';
const ASSETS = 'stonechat downloads nothing into a store: --model takes a path or a URL.';
const TALK = 'Write stonechat chat --model FILE to talk, or stonechat "a text" --model FILE to go on with one.';
const SERVE = 'There is no server yet: use the package in a program, or pipe lines into stonechat chat --json.';

/** Word -> what to do instead. */
const RESERVED: ReadonlyMap<string, string> = new Map([
  ...['list', 'ls', 'models', 'ps', 'show', 'info', 'rm', 'remove', 'delete', 'cp', 'copy'].map((word) => [word, MODELS] as const),
  ...['pull', 'push', 'download', 'install', 'update', 'upgrade', 'login', 'search', 'create'].map((word) => [word, ASSETS] as const),
  ...['serve', 'server', 'start', 'stop', 'api'].map((word) => [word, SERVE] as const),
  ...['run', 'ask', 'talk', 'complete', 'completion', 'predict', 'prompt', 'repl', 'cli'].map((word) => [word, TALK] as const),
  ...['embed', 'embeddings', 'embedding'].map((word) => [word, 'Embeddings are not there yet.'] as const),
  ['perplexity', 'Write stonechat eval --model FILE --text held-out.txt.'],
  ['benchmark', 'Write stonechat bench.'],
  ['version', 'Write stonechat --version.'],
]);

/** A path, an address or a name with a tag: `run model.gguf`, `pull org/model:q4`. */
const isName = (text: string): boolean => /^\S*[./:\\]\S*$/.test(text);

/** A model where a prompt is meant. */
const MODEL_FILE = /\.(gguf|safetensors|bin)$/i;

/**
 * A word alone, or before what looks like a model, is more likely a slip than a prompt.
 * @param positionals What stands on the line beside options, where no command was named.
 * @throws StonechatError `bad-option` for a reserved word, and for one that is almost a command.
 */
export function checkWord(positionals: readonly string[], commands: readonly string[], hasModel: boolean): void {
  const [word, second, ...others] = positionals;
  if (word === undefined || others.length > 0 || (second !== undefined && !isName(second))) return;
  if (second === undefined && MODEL_FILE.test(word)) throw usage('a command, or a prompt', `${word}, a file`, `Write --model ${word} and a prompt, or stonechat inspect ${word}.`);
  const hint = RESERVED.get(word);
  const asPrompt = `As a prompt it is stonechat generate ${word}.`;
  if (hint) throw usage('a command, or a prompt of more than a reserved word', word, `${hint} ${asPrompt}`);
  if (second !== undefined || hasModel || !/^[a-z]{4,}$/.test(word)) return;
  const name = nearest(word, commands);
  if (name && name !== word) throw usage('a command, or a prompt and a model', word, `Did you mean stonechat ${name}? ${asPrompt}`);
}
