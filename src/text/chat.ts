import { aborted, StonechatError } from '../errors.js';
import type { JinjaError, Rendered, TemplateLimits } from './jinja/index.js';

export type { Rendered, TemplateLimits } from './jinja/index.js';

/** What a chat template may ask for, beside the messages. */
export interface ChatOptions {
  bos_token?: string;
  eos_token?: string;
  /** Ends the prompt with the opening of the assistant's turn. Default true. */
  add_generation_prompt?: boolean;
  tools?: readonly unknown[];
  /** Without a template of the model's own: 'chatml' writes `<|im_start|>role … <|im_end|>`. Default: an error. */
  fallback?: 'chatml';
  [variable: string]: unknown;
}

/** How a template runs. */
export interface TemplateRun {
  readonly limits?: TemplateLimits;
  readonly signal?: AbortSignal;
}

const CHATML = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Jinja source of a template, which may be named `chatml`. */
export const templateSource = (template: string): string => (template === 'chatml' ? CHATML : template);

/** What comes from others: its characters are told from the template's own. */
const MARKED = ['messages', 'tools', 'documents'];

/**
 * The prompt that a model's chat template (Jinja source, or 'chatml') makes of messages, and which of its characters came from
 * them. The template engine is loaded on first use.
 * @throws StonechatError `not-found` without a template, `bad-file` for one that does not parse or needs what no chat template may
 *   use, `bad-option` for messages that it refuses or that take too long, `aborted`.
 */
export async function renderPrompt(template: string | undefined, messages: readonly unknown[], options: ChatOptions = {}, run: TemplateRun = {}): Promise<Rendered> {
  const { fallback, ...variables } = options;
  const source = template ?? fallback;
  if (source === undefined) throw noTemplate();
  return renderMarked(templateSource(source), { add_generation_prompt: true, tools: null, documents: null, ...variables, messages }, run);
}

/** The text alone. */
export const renderChat = async (template: string | undefined, messages: readonly unknown[], options: ChatOptions = {}, run: TemplateRun = {}): Promise<string> =>
  (await renderPrompt(template, messages, options, run)).text;

/** One Jinja template with its variables. */
export const render = async (source: string, variables: Record<string, unknown>, run: TemplateRun = {}): Promise<string> =>
  (await renderMarked(source, variables, run)).text;

async function renderMarked(source: string, variables: Record<string, unknown>, run: TemplateRun): Promise<Rendered> {
  const { renderTemplate, JinjaError } = await import('./jinja/index.js');
  try {
    return await renderTemplate(source, variables, { ...run, marked: MARKED });
  } catch (cause) {
    if (run.signal?.aborted) throw aborted(run.signal, 'the chat template to be rendered');
    throw cause instanceof JinjaError ? refusal(cause) : cause;
  }
}

function refusal(cause: JinjaError): StonechatError {
  const found = cause.message;
  switch (cause.fault) {
    case 'syntax':
      return new StonechatError({ code: 'bad-file', expected: 'a chat template in Jinja', found, remedy: 'Pass a corrected template, or the prompt as plain text.', cause });
    case 'unsupported':
      return new StonechatError({ code: 'bad-file', expected: 'a chat template of what transformers offers', found, remedy: 'Pass a corrected template, or the prompt as plain text.', cause });
    case 'limit':
      return new StonechatError({ code: 'bad-option', expected: 'a chat template and messages within limits', found, remedy: 'Shorten the conversation; if you trust the template, load with larger templateLimits.', cause });
    default:
      return new StonechatError({ code: 'bad-option', expected: 'messages that the chat template takes', found, remedy: 'See the model\'s card for the roles and fields it knows, or pass the prompt as plain text.', cause });
  }
}

export const noTemplate = () =>
  new StonechatError({
    code: 'not-found',
    expected: 'a model with a chat template',
    found: 'none (a base model?)',
    remedy: 'Pass the prompt as plain text, or a template, or "chatml", by the chatTemplate option (--template).',
  });
