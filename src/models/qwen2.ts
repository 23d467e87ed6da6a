import type { Architecture } from './architecture.js';
import { rotaryDecoder } from './blocks.js';

/** Qwen 2 and 2.5: Llama's decoder with biases on query, key and value. arXiv:2407.10671. */
export const qwen2: Architecture = (g, h) => rotaryDecoder(g, h, { style: 'neox', headNorm: false });
