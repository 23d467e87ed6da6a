import type { Architecture } from './architecture.js';
import { rotaryDecoder } from './blocks.js';

/** Qwen 3: no biases, RMSNorm on every query and key head. arXiv:2505.09388. */
export const qwen3: Architecture = (g, h) => rotaryDecoder(g, h, { style: 'neox', headNorm: true });
