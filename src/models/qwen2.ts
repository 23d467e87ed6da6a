import type { Architecture } from './architecture.js';
import { rotaryDecoder } from './blocks.js';
import { ATTENTION, QWEN_WINDOW, ROTARY, type StoredForm } from './stored.js';

/** Qwen 2 and 2.5: Llama's decoder with biases on query, key and value. arXiv:2407.10671. */
export const qwen2: Architecture = (g, h) => rotaryDecoder(g, h, { style: 'neox', headNorm: false });

// As Hugging Face stores it

export const qwen2Stored: StoredForm = {
  ...ROTARY,
  families: { qwen2: { context: 32768, kvHeads: 32, biases: () => ATTENTION.slice(0, 3), ...QWEN_WINDOW } },
  className: 'Qwen2ForCausalLM',
};
