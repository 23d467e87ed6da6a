/** One `--option`. */
export interface OptionSpec {
  readonly name: string;
  readonly short?: string;
  /** What stands for its value in the help; flags have none. */
  readonly value?: string;
  readonly help: string;
  /** May be given several times. */
  readonly multiple?: boolean;
  /** A name that it had: taken for one release more, and not shown. */
  readonly former?: string;
}

const option = (name: string, value: string, help: string, more: Partial<OptionSpec> = {}): OptionSpec => ({ name, value, help, ...more });
const flag = (name: string, help: string, more: Partial<OptionSpec> = {}): OptionSpec => ({ name, help, ...more });

export const HELP = flag('help', 'Show this help.', { short: 'h' });
export const VERSION = flag('version', 'Show the version.');
export const JSON_FLAG = flag('json', 'Print JSON, for programs.');

export const QUIET = flag('quiet', 'Say nothing while it runs.');

export const MODEL = option('model', 'MODEL', 'A GGUF, safetensors or llama2.c file, a model folder, or a URL. Default: the story model of the package.', { short: 'm' });
export const TOKENIZER = option('tokenizer', 'FILE', 'The tokenizer, where the model carries none.');
export const PROMPT = option('prompt', 'TEXT', 'The prompt; - reads it from standard input.', { short: 'p' });
export const IDS = option('ids', '1,2,3', 'Token ids in place of a text.');
export const SYSTEM = option('system', 'TEXT', 'What the model is told before the conversation.');
export const TEMPLATE = option('template', 'FILE', 'A chat template (Jinja) in place of the model\'s own; "chatml" for the usual one.');
export const MESSAGES = option('messages', 'FILE.json', 'The conversation: a list of { role, content }. Default: one greeting.');
export const TOOLS = option('tools', 'FILE.json', 'The tools that the template may show: a list.');
export const VARIABLES = option('variables', 'FILE.json', 'Further variables of the template: an object.');
export const PARSE_SPECIAL = flag('parse-special', 'Take special tokens spelt in texts, such as <|im_end|>, for the tokens.');
export const CONTENTS = option('contents', 'WHAT', 'Special tokens spelt in messages: text, or special (parse them). Default text.');
export const FULL = flag('full', 'Show arrays in full length.');
export const JSONL = flag('jsonl', 'Read one JSON string per line, print one JSON array of ids per line.');
export const PIECES = flag('pieces', 'Show the words that normaliser and pre-tokenizer make of the text, in place of ids.');
export const RAW = flag('raw', 'Show tokens as the vocabulary spells them (\u0120 or \u2581 for a space).');
/** How every command reads text. */
export const ENCODING: readonly OptionSpec[] = [
  flag('add-special', 'Put BOS and EOS around a text where the tokenizer does. Default.'),
  flag('no-add-special', 'Put nothing around a text.'),
  flag('parse-special', 'Take special tokens written in a text, such as </s>, for what they stand for.'),
  flag('no-parse-special', 'Take them for ordinary text. Default.'),
];
export const NO_ECHO = flag('no-echo', 'Print the answer without the prompt.');

/** How a model is loaded. */
export const LOADING: readonly OptionSpec[] = [
  MODEL,
  TOKENIZER,
  option('threads', 'N', 'Threads that compute. Default: one per processor, 8 at most; 1 for small models.', { short: 't' }),
  option('build', 'NAME', 'scalar, simd or relaxed: the same text at another speed. Default: the fastest.'),
  option('context', 'N', "Tokens of context. Default: the model's own, 4096 at most.", { short: 'c' }),
  option('kv-cache', 'TYPE', 'f32, f16 (half the memory), q8_0 (28 %) or q4_0 (14 %, less accurate). Default f32.'),
  option('lora', 'FILE[:SCALE]', 'Apply a LoRA adapter (GGUF), its effect times SCALE. Several add up.', { multiple: true }),
  option('activations', 'TYPE', 'q8 or f32, for quantised weights. Default q8.'),
];

/** How text is sampled; numbers go by these names, in camel case, to generate(). */
export const SAMPLING: readonly OptionSpec[] = [
  option('temperature', 'T', '0 is greedy: always the most likely token. Default 0.8.'),
  option('top-k', 'K', 'Sample among the K most likely tokens.'),
  option('top-p', 'P', 'Sample among the most likely tokens that make up P together.'),
  option('min-p', 'P', 'Sample among tokens at least P times as likely as the best. Default: off; 0.1 with the story model of the package.'),
  option('typical-p', 'P', 'Locally typical sampling.'),
  option('repetition-penalty', 'X', 'Make the latest tokens less likely: divide by X. 1 is off.'),
  option('presence-penalty', 'X', 'Subtract X once from tokens that occurred.'),
  option('frequency-penalty', 'X', 'Subtract X for every occurrence. Default: 0; 0.15 with the story model of the package.'),
  option('penalty-window', 'N', 'How many of the latest tokens the penalties look at. Default 64; -1 all.'),
  option('dry-multiplier', 'X', 'DRY: make tokens less likely that go on with a repetition. Default 0: off; 0.8 is usual.'),
  option('dry-base', 'X', 'How steeply, by the length of the repetition. Default 1.75.'),
  option('dry-allowed-length', 'N', 'Shorter repetitions cost nothing. Default 2.'),
  option('dry-penalty-last-n', 'N', 'How many of the latest tokens DRY looks at. Default 64; -1 all.'),
  option('top-nsigma', 'N', 'Sample among tokens within N standard deviations of the best. Default: off.'),
  option('dynatemp-range', 'X', 'Let the temperature follow the entropy, X to either side. Default 0: off.'),
  option('dynatemp-exp', 'X', 'Above 1 high temperatures are kept for very even distributions. Default 1.'),
  option('xtc-probability', 'P', 'XTC: how often the top choices but the last are left out. Default 0: never.'),
  option('xtc-threshold', 'P', 'Tokens at least this likely are top choices. Default 0.1.'),
  option('mirostat', '2', 'Mirostat 2: keep the surprise of the text even. Default 0: off.'),
  option('mirostat-lr', 'X', 'How quickly it corrects itself (eta). Default 0.1.'),
  option('mirostat-ent', 'X', 'The surprise it aims at, in bits (tau). Default 5.'),
  option('seed', 'N', 'The same seed gives the same text, on every machine. Default: random.', { short: 's' }),
];

export const ANSWER: readonly OptionSpec[] = [
  option('max-tokens', 'N', 'Stop after N tokens. Default: when the model ends or the context is full.', { short: 'n' }),
  ...SAMPLING,
  option('dry-sequence-breaker', 'TEXT', 'Where repetitions end for DRY; \\n is a line break, none nowhere. Default \\n, :, " and *.', { multiple: true }),
  option('bias', 'ID=X', 'Add X to the logit of a token; -inf forbids it.', { multiple: true }),
  option('stop', 'TEXT', 'Stop before this text; \\n is a line break.', { multiple: true }),
  option('stop-ids', '1,2', 'Stop at these tokens.'),
  flag('ignore-eos', 'Go on when the model would end.'),
  option('overflow', 'WHAT', 'When the context is full: error, or slide (forget what is oldest). Default error.'),
];

/** What `eval` judges by. */
export const JUDGING: readonly OptionSpec[] = [
  option('text', 'FILE', 'Perplexity, bits per byte and calibration over a text, document by document.'),
  option('separator', 'TEXT', 'What stands between documents of --text; \\n is a line end. Default <|endoftext|>, as in train.'),
  option('window', 'N', "Tokens per window of --text. Default: the model's context."),
  option('stride', 'N', 'How far the window moves. Default: half of it.'),
  option('picture', 'FILE', 'Write the reliability diagram of --text as SVG.'),
  option('blimp', 'PATH', 'Minimal pairs: a .jsonl file, or a folder of them (sentence_good, sentence_bad).'),
  option('choices', 'PATH', 'Multiple choice, as in ARC: .jsonl with prompt, choices, answer_idx.'),
  option('lambada', 'PATH', 'Last words: .jsonl with text.'),
  option('limit', 'N', 'Judge the first N lines of each file only (--text: documents).'),
];
export const SPANS = option('spans', 'N', 'How many uncertain words to mark. Default 3.');
export const HTML = option('html', 'FILE', 'Write a page that shows it.');
export const JUDGE = option('judge', 'TEXT', 'Judge this text in place of a generation.');
export const TYPE = option('type', 'TYPE', 'f32, f16, bf16, q8_0, q6_K, q5_K, q5_1, q5_0, q4_K, q4_K_M, q4_1 or q4_0.');
export const FORCE = flag('force', 'Write although the other form cannot say all that the tokenizer does; what is lost is listed.');
export const QUANTIZE_OUTPUT = flag('quantize-output', 'The same type for the output layer too.', { former: 'pure' });
export const TEXT = option('text', 'FILE', 'The text whose perplexity is compared. Default: a short story.');
export const NO_PERPLEXITY = flag('no-perplexity', 'Only write the file.');

export const TOP = option('top', 'N', 'Alternatives shown for each token.');

export const BENCH: readonly OptionSpec[] = [
  option('kernels', 'A,B', 'Only these groups, or kernels with this in their name; "model" is end to end. Default: all but "batch".'),
  option('threads', '1,2', 'Numbers of threads. Default: 1, and one per processor.', { short: 't' }),
  option('build', 'A,B', 'Only these builds. Default: all that work here.'),
  flag('quick', 'Small sizes, few rounds: whether it works, not how fast.'),
  option('compare', 'FILE', 'Show which ratios changed beyond the spread since a run saved there.'),
  option('save', 'FILE', 'Write the ratios of this run there.'),
];

/** Numbers that decide what is learnt; they go by these names, in camel case, to train(). */
export const TRAINING_NUMBERS: readonly OptionSpec[] = [
  option('steps', 'N', 'Optimizer steps. Default: from the size of the corpus.', { short: 'n' }),
  option('epochs', 'X', 'In place of --steps: how often to go through the corpus.'),
  option('vocabulary', 'N', 'Tokens to learn from the corpus. Default: by its size, 300 to 4,096.'),
  option('batch', 'N', 'Sequences of one step. Default: 2,048 tokens of them.'),
  option('micro-batch', 'N', 'How many of them to compute at a time; fewer take less memory.'),
  option('learning-rate', 'X', 'Highest learning rate. Default: by the size of the model.'),
  option('final-rate', 'X', 'What is left of it at the end. Default: a tenth.'),
  option('warmup', 'N', 'Steps in which it rises. Default: a twentieth of them, 200 at most.'),
  option('weight-decay', 'X', 'Of matrices, by AdamW. Default 0.1.'),
  option('beta1', 'X', 'Of AdamW. Default 0.9.'),
  option('beta2', 'X', 'Of AdamW. Default 0.99.'),
  option('max-grad-norm', 'X', 'Norm that longer gradients are shortened to. Default 1.', { former: 'clip' }),
  option('dropout', 'X', 'Default: 0.1 where the corpus is seen more than four times, else 0.'),
  option('seed', 'N', 'The same seed gives the same weights, on every machine. Default 0.', { short: 's' }),
  option('validation-share', 'X', 'Share of the documents kept back to validate. Default 0.05.'),
  option('evaluate-every', 'N', 'Steps between evaluations. Default: about 40 in all.'),
  option('evaluation-tokens', 'N', 'Tokens of each. Default 32,768.'),
  option('sample-every', 'N', 'Steps between samples, 0 for none. Default: with every fourth evaluation.'),
  option('sample-tokens', 'N', 'Tokens of a sample. Default 96.'),
  option('checkpoint-every', 'N', 'Steps between checkpoints. Default: as often as evaluations.'),
  option('threads', 'N', 'Threads that compute; they change no bit. Default: one per processor, 8 at most.', { short: 't' }),
];

export const TRAINING: readonly OptionSpec[] = [
  option('output', 'FILE', 'The model to write, a GGUF file; the report goes beside it.', { short: 'o' }),
  option('config', 'FILE', 'Sizes of the model as JSON. Default: by the size of the corpus.'),
  option('validation', 'FILE', 'Text to validate with, in place of a share of the corpus.', { multiple: true }),
  option('tokenizer', 'FILE', 'A model whose tokenizer is used, or a tokenizer.json and the like. Default: one is learnt.'),
  ...TRAINING_NUMBERS,
  option('keep-weights', 'WHICH', 'best (by validation loss) or last. Default best.', { former: 'keep' }),
  option('separator', 'TEXT', 'What stands between documents; \\n is a line end. Default <|endoftext|>.'),
  option('sample-prompt', 'TEXT', 'What samples begin with. Default: nothing.'),
  option('name', 'TEXT', 'Name of the model. Default: "a model by stonechat".'),
  option('build', 'NAME', 'scalar, simd or relaxed: the same weights at another speed. Default: the fastest.'),
  option('checkpoint', 'FILE', 'Where the state is kept while it runs. Default: the output with .checkpoint.'),
  flag('fused-multiply-add', 'Faster products, rounded once where the machine can: no longer the same weights on every machine.'),
  flag('resume', 'Go on from the checkpoint, where there is one.'),
  flag('restart', 'Begin anew, although there is a checkpoint.'),
  flag('no-report', 'Only write the model.'),
];

/** Options of training that others have too. */
const among = (names: readonly string[]): OptionSpec[] => TRAINING.filter(({ name }) => names.includes(name));

export const COMPARING: readonly OptionSpec[] = [
  option('seconds', 'N', 'About how long each network may learn. Default 60.'),
  option('steps', 'N', 'In place of --seconds: optimizer steps of each, the same result everywhere.', { short: 'n' }),
  option('order', 'N', 'Longest n-grams; the feed-forward network sees one token less. Default 5.'),
  ...among(['vocabulary', 'seed', 'validation', 'separator', 'sample-prompt', 'sample-tokens', 'threads']),
  option('output', 'FOLDER', 'Keep the three models there.', { short: 'o' }),
  option('picture', 'FILE', 'Write an SVG of quality over time.'),
];

/** How a model is tuned; numbers go by these names, in camel case, to finetune(). */
export const TUNING_NUMBERS: readonly OptionSpec[] = [
  option('epochs', 'X', 'How often to go through the examples. Default 3.'),
  option('steps', 'N', 'In place of --epochs: optimizer steps.', { short: 'n' }),
  option('batch', 'N', 'Sequences (--dpo: pairs) of one step. Default: about 2,048 tokens of them.'),
  ...among(['micro-batch']),
  option('context', 'N', 'Tokens of a sequence. Default: the longest example, 1,024 at most.', { short: 'c' }),
  ...among(['learning-rate', 'final-rate']),
  option('warmup', 'N', 'Steps in which it rises. Default: a twentieth of them, 100 at most.'),
  option('weight-decay', 'X', 'Of matrices, by AdamW. Default 0.01.'),
  ...among(['beta1', 'beta2', 'max-grad-norm']),
  option('dropout', 'X', 'Of what goes into an adapter, or of the branches. Default 0.'),
  ...among(['seed']),
  option('validation-share', 'X', 'Share of the examples kept back to validate. Default 0.1.'),
  option('evaluate-every', 'N', 'Steps between evaluations. Default: about 20 in all, for a tenth of the time at most.'),
  ...among(['checkpoint-every', 'threads']),
];

export const TUNING: readonly OptionSpec[] = [
  { ...MODEL, help: 'The model to tune: GGUF, and for --lora any other too.' },
  option('output', 'FILE', 'What to write: the tuned model, or with --lora the adapter (GGUF).', { short: 'o' }),
  flag('lora', 'Train an adapter beside the weights, which may be quantised, in place of all weights.'),
  option('rank', 'N', 'Of the adapter. Default 8.'),
  option('alpha', 'X', 'The adapter counts alpha / rank times. Default: twice the rank.'),
  option('targets', 'A,B', "Layers to adapt, by llama.cpp's or PEFT's names. Default: all linear ones of the blocks."),
  flag('dpo', 'Learn from preferences: each example has a chosen and a rejected answer.'),
  option('beta', 'X', 'Of --dpo: how far to stay by the model as it was. Default 0.1.'),
  option('validation', 'FILE', 'Examples to validate with, in place of a share of the others.', { multiple: true }),
  ...TUNING_NUMBERS,
  option('long-examples', 'WHICH', 'What becomes of examples longer than a sequence: skip or cut. Default skip; told at the end.', { former: 'long' }),
  flag('dequantize', 'Let all weights of a quantised model be trained, as floats.'),
  option('type', 'TYPE', 'Type of the tuned model: f32, f16, q8_0 and so on. Default: as it was.'),
  ...among(['keep-weights']),
  TEMPLATE,
  CONTENTS,
  PARSE_SPECIAL,
  option('name', 'TEXT', 'Name of the tuned model.'),
  ...among(['build', 'checkpoint', 'fused-multiply-add', 'resume', 'restart']),
];

export const MERGING: readonly OptionSpec[] = [
  { ...MODEL, help: 'The model that the adapters were trained on, a GGUF file.' },
  option('lora', 'FILE[:SCALE]', 'An adapter, its effect times SCALE. Several add up.', { multiple: true }),
  option('output', 'FILE', 'The model to write.', { short: 'o' }),
  option('type', 'TYPE', 'Type of its matrices: f32, f16, q8_0 and so on. Default: each keeps its own.'),
];
