import type { Architecture } from './architecture.js';
import { rotaryDecoder } from './blocks.js';
import { ATTENTION, QWEN_WINDOW, ROTARY, type StoredForm } from './stored.js';

/** Qwen 3: no biases, RMSNorm on every query and key head. arXiv:2505.09388. */
export const qwen3: Architecture = (g, h) => rotaryDecoder(g, h, { style: 'neox', headNorm: true });

// As Hugging Face stores it

export const qwen3Stored: StoredForm = {
  ...ROTARY,
  families: { qwen3: { context: 32768, kvHeads: 32, headDim: 128, biases: (config) => (config.attention_bias ? ATTENTION : []), ...QWEN_WINDOW } },
  className: 'Qwen3ForCausalLM',
};
