import type { Architecture } from './architecture.js';
import { rotaryDecoder } from './blocks.js';

/** Llama 1 to 3.x, Mistral, SmolLM2, TinyLlama, llama2.c stories: Touvron et al. 2023, arXiv:2302.13971. */
export const llama: Architecture = (g, h) => rotaryDecoder(g, h, { style: 'interleaved', headNorm: false });
