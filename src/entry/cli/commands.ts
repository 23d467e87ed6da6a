import type { Arguments } from './arguments.js';
import { chat } from './chat.js';
import { evaluate } from './eval.js';
import { generate } from './generate.js';
import { inspect } from './inspect.js';
import { logits } from './logits.js';
import { next } from './next.js';
import {
  ANSWER, BENCH, COMPARING, CONTENTS, ENCODING, FORCE, FULL, HELP, HTML, IDS, JSON_FLAG, JSONL, JUDGE, JUDGING, LOADING, MERGING, MESSAGES, MODEL, NO_ECHO, NO_PERPLEXITY, type OptionSpec, PIECES, PROMPT, QUANTIZE_OUTPUT, QUIET, RAW, SPANS, SYSTEM,
  TEMPLATE, TEXT, TOKENIZER, TOOLS, TOP, TRAINING, TYPE, TUNING, VARIABLES,
} from './options.js';
import { tokenize } from './tokenize.js';
import { showTrust } from './trust.js';

export interface Command {
  readonly name: string;
  /** What may stand beside the options. */
  readonly operands: string;
  readonly summary: string;
  readonly examples: readonly string[];
  readonly options: readonly OptionSpec[];
  /** Resolves with the exit code. */
  readonly run: (args: Arguments) => Promise<number>;
}

const COMMON = [JSON_FLAG, HELP];

export const COMMANDS: readonly Command[] = [
  {
    name: 'generate',
    operands: '["TEXT" | -]',
    summary: 'Go on with a text (the default command).',
    examples: ['stonechat "Once upon a time" --model story.gguf', 'echo "Dear diary" | stonechat generate - -m story.gguf --temperature 0 --max-tokens 50 --json'],
    options: [PROMPT, IDS, ...ENCODING, ...ANSWER, TOP, NO_ECHO, ...LOADING, ...COMMON],
    run: generate,
  },
  {
    name: 'chat',
    operands: '["TEXT" | -]',
    summary: 'Talk with a model that has a chat template; with a text, one message and its answer.',
    examples: ['stonechat chat --model assistant.gguf --system "Answer in one sentence."', 'stonechat chat "What is a stonechat?" --model assistant.gguf'],
    options: [SYSTEM, TEMPLATE, CONTENTS, ...ANSWER, ...LOADING, ...COMMON],
    run: chat,
  },
  {
    name: 'next',
    operands: '"TEXT"',
    summary: 'What may come next, and how likely it is, as bars.',
    examples: ['stonechat next "The capital of France is" --model m.gguf --top 10'],
    options: [{ ...TOP, help: 'How many tokens to show. Default 10.' }, PROMPT, IDS, ...ENCODING, ...LOADING, ...COMMON],
    run: next,
  },
  {
    name: 'tokenize',
    operands: '["TEXT" | -]',
    summary: 'Text to token ids; only the vocabulary of the model is read.',
    examples: ['stonechat tokenize "Hello, world" --model m.gguf', 'stonechat tokenize --tokenizer tokenizer.json --jsonl < texts.jsonl'],
    options: [PROMPT, IDS, PIECES, JSONL, RAW, ...ENCODING, MODEL, TOKENIZER, ...COMMON],
    run: tokenize,
  },
  {
    name: 'template',
    operands: '[FILE | -]',
    summary: 'The prompt that a chat template makes of messages, special tokens marked.',
    examples: ['stonechat template --model assistant.gguf --messages chat.json', 'stonechat template template.jinja --messages chat.json --variables more.json'],
    options: [MODEL, TEMPLATE, MESSAGES, TOOLS, VARIABLES, { ...JSONL, help: 'Read one {"template", "variables"} per line, print one {"output"} or {"error"} per line.' }, ...COMMON],
    run: async (args) => (await import('./template.js')).template(args),
  },
  {
    name: 'inspect',
    operands: 'MODEL',
    summary: 'What is in a model file: metadata, tensors, parameters, memory.',
    examples: ['stonechat inspect m.gguf'],
    options: [FULL, ...LOADING, ...COMMON],
    run: inspect,
  },
  {
    name: 'logits',
    operands: '["TEXT" | -]',
    summary: 'The logits of the last position.',
    examples: ['stonechat logits --model m.gguf --ids 1,2,3 --json'],
    options: [PROMPT, IDS, ...ENCODING, ...LOADING, ...COMMON],
    run: logits,
  },
  {
    name: 'train',
    operands: 'TEXT.txt …',
    summary: 'Make a model: learn a tokenizer and a transformer from texts.',
    examples: ['stonechat train corpus.txt -o model.gguf', 'stonechat train a.txt b.txt -o small.gguf --config small.json --steps 2000 --validation held-out.txt', 'stonechat train corpus.txt -o model.gguf --resume'],
    options: [...TRAINING, FORCE, QUIET, ...COMMON],
    run: async (args) => (await import('./train.js')).train(args),
  },
  {
    name: 'compare',
    operands: 'TEXT.txt …',
    summary: 'Train an n-gram model, a feed-forward network and a transformer on the same text; one table.',
    examples: ['stonechat compare corpus.txt', 'stonechat compare corpus.txt --seconds 120 --sample-prompt "Once upon a time" --picture compared.svg -o models/'],
    options: [...COMPARING, QUIET, ...COMMON],
    run: async (args) => (await import('./compare.js')).compare(args),
  },
  {
    name: 'finetune',
    operands: 'EXAMPLES.jsonl …',
    summary: 'Teach a model by examples, or by preferences: all its weights, or an adapter (LoRA).',
    examples: [
      'stonechat finetune -m base.gguf examples.jsonl -o tuned.gguf',
      'stonechat finetune -m base-q4_0.gguf examples.jsonl -o adapter.gguf --lora --rank 16',
      'stonechat finetune -m base.gguf pairs.json -o polite.gguf --lora --dpo',
    ],
    options: [...TUNING, QUIET, ...COMMON],
    run: async (args) => (await import('./finetune.js')).finetune(args),
  },
  {
    name: 'merge',
    operands: '',
    summary: 'Write a model with adapters added into its weights.',
    examples: ['stonechat merge -m base.gguf --lora a.gguf:0.8 --lora b.gguf -o merged.gguf', 'stonechat merge -m base-q4_0.gguf --lora a.gguf -o merged.gguf --type q8_0'],
    options: [...MERGING, QUIET, ...COMMON],
    run: async (args) => (await import('./merge.js')).merge(args),
  },
  {
    name: 'eval',
    operands: '',
    summary: 'Judge a model: perplexity, calibration, minimal pairs, multiple choice, last words.',
    examples: ['stonechat eval -m m.gguf --text held-out.txt --stride 256 --picture reliability.svg', 'stonechat eval -m m.gguf --blimp blimp/ --choices arc_easy_test.jsonl --lambada lambada_test.jsonl'],
    options: [...JUDGING, ...ENCODING, ...LOADING, QUIET, ...COMMON],
    run: evaluate,
  },
  {
    name: 'trust',
    operands: '["TEXT" | -]',
    summary: 'Go on with a text and show how far to trust it, word by word.',
    examples: ['stonechat trust "The capital of France is" -m m.gguf --html trust.html', 'stonechat trust --judge "The sun is cold." -m m.gguf'],
    options: [JUDGE, SPANS, HTML, PROMPT, ...ENCODING, ...ANSWER, ...LOADING, ...COMMON],
    run: showTrust,
  },
  {
    name: 'quantize',
    operands: 'IN OUT.gguf',
    summary: 'Write a model of any format as GGUF with fewer bits per weight; perplexity before and after.',
    examples: ['stonechat quantize story-f32.gguf story-q4_0.gguf --type q4_0'],
    options: [TYPE, QUANTIZE_OUTPUT, FORCE, TEXT, NO_PERPLEXITY, TOKENIZER, QUIET, ...COMMON],
    run: async (args) => (await import('./quantize.js')).quantize(args),
  },
  {
    name: 'convert',
    operands: 'IN OUT',
    summary: 'Write a model of any format as GGUF (OUT.gguf), or as a Hugging Face folder.',
    examples: ['stonechat convert story.gguf story-hf/', 'stonechat convert story-hf/ story.gguf --type f16', 'stonechat convert stories260K.bin story.gguf --tokenizer tok512.bin'],
    options: [{ ...TYPE, help: 'Type of the matrices. Default: the one they have.' }, QUANTIZE_OUTPUT, FORCE, TOKENIZER, QUIET, ...COMMON],
    run: async (args) => (await import('./convert.js')).convert(args),
  },
  {
    name: 'bench',
    operands: '',
    summary: 'Prove that all builds agree, then measure kernels and models here.',
    examples: ['stonechat bench', 'stonechat bench --kernels gemm,attention --threads 1', 'stonechat bench --model m.gguf --kernels model --json'],
    options: [{ ...MODEL, help: 'A model to measure end to end. Default: a small one, made up.' }, ...BENCH, ...COMMON],
    run: async (args) => (await import('./bench.js')).bench(args),
  },
];

export const DEFAULT_COMMAND = COMMANDS[0]!;
