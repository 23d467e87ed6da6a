import { createBrowserHost } from '../host/browser.js';

export * from './public.js';
export const host = createBrowserHost();
