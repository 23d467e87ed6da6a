import type { Arguments } from './arguments.js';
import { chat } from './chat.js';
import { generate } from './generate.js';
import { inspect } from './inspect.js';
import { logits } from './logits.js';
import { next } from './next.js';
import {
  ADD_SPECIAL, ANSWER, FULL, HELP, IDS, JSON_FLAG, JSONL, LOADING, MODEL, NO_ECHO, NO_PARSE_SPECIAL, type OptionSpec, PROMPT, SYSTEM, TEMPLATE, TOKENIZER, TOP,
} from './options.js';
import { tokenize } from './tokenize.js';

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
    options: [PROMPT, IDS, ...ANSWER, TOP, NO_ECHO, ...LOADING, ...COMMON],
    run: generate,
  },
  {
    name: 'chat',
    operands: '',
    summary: 'Talk with a model that has a chat template.',
    examples: ['stonechat chat --model assistant.gguf --system "Answer in one sentence."'],
    options: [SYSTEM, TEMPLATE, ...ANSWER, ...LOADING, ...COMMON],
    run: chat,
  },
  {
    name: 'next',
    operands: '"TEXT"',
    summary: 'What may come next, and how likely it is, as bars.',
    examples: ['stonechat next "The capital of France is" --model m.gguf --top 10'],
    options: [{ ...TOP, help: 'How many tokens to show. Default 10.' }, PROMPT, IDS, ...LOADING, ...COMMON],
    run: next,
  },
  {
    name: 'tokenize',
    operands: '["TEXT" | -]',
    summary: 'Text to token ids; only the vocabulary of the model is read.',
    examples: ['stonechat tokenize "Hello, world" --model m.gguf', 'stonechat tokenize --tokenizer tokenizer.json --jsonl < texts.jsonl'],
    options: [PROMPT, IDS, JSONL, ADD_SPECIAL, NO_PARSE_SPECIAL, MODEL, TOKENIZER, ...COMMON],
    run: tokenize,
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
    options: [PROMPT, IDS, ...LOADING, ...COMMON],
    run: logits,
  },
];

export const DEFAULT_COMMAND = COMMANDS[0]!;
