import { StonechatError } from '../errors.js';

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

const CHATML = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Jinja source of a template, which may be named `chatml`. */
export const templateSource = (template: string): string => (template === 'chatml' ? CHATML : template);

/**
 * The prompt that a model's chat template (Jinja source, or 'chatml') makes of messages. The template engine is loaded on first use.
 * @throws StonechatError `not-found` without a template, `bad-file` for one that does not parse, `bad-option` for messages it refuses.
 */
export async function renderChat(template: string | undefined, messages: readonly unknown[], options: ChatOptions = {}): Promise<string> {
  const { fallback, ...variables } = options;
  const source = template ?? fallback;
  if (source === undefined) throw noTemplate();
  return render(templateSource(source), { add_generation_prompt: true, ...variables, messages });
}

/** One Jinja template with its variables. */
export async function render(source: string, variables: Record<string, unknown>): Promise<string> {
  const { Template } = await import('@huggingface/jinja');
  let parsed: InstanceType<typeof Template>;
  try {
    parsed = new Template(source);
  } catch (cause) {
    throw new StonechatError({ code: 'bad-file', expected: 'a chat template in Jinja', found: message(cause), remedy: 'Pass a corrected template, or the prompt as plain text.', cause });
  }
  try {
    return parsed.render(variables);
  } catch (cause) {
    throw new StonechatError({ code: 'bad-option', expected: 'messages that the chat template takes', found: message(cause), remedy: 'See the model\'s card for the roles and fields it knows, or pass the prompt as plain text.', cause });
  }
}

const message = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));

export const noTemplate = () =>
  new StonechatError({
    code: 'not-found',
    expected: 'a model with a chat template',
    found: 'none (a base model?)',
    remedy: 'Pass the prompt as plain text, or a template, or "chatml", by the chatTemplate option (--template).',
  });
