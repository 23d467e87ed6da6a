import { createNodeHost } from '../host/node.js';

export * from './public.js';
export const host = createNodeHost();
