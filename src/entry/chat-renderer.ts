import type { RenderChat } from '../generate/prompt.js';
import type { LoadOptions } from '../generate/types.js';
import { renderPrompt } from '../text/chat.js';
import type { Tokenizer } from '../text/types.js';

/** A model's chat template, or the one named in its place, with all that its tokenizer says. */
export const chatRenderer = (tokenizer: Tokenizer, { chatTemplate, templateLimits: limits }: LoadOptions): RenderChat =>
  (messages, more = {}, run = {}) => renderPrompt(chatTemplate ?? tokenizer.chatTemplate, messages, { ...tokenizer.specialTokens, ...more }, { limits, ...run });
