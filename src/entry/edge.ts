import { createEdgeHost } from '../host/edge.js';

export * from './public.js';
export const host = createEdgeHost();
