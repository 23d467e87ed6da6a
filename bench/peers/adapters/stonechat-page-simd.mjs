// The build without relaxed SIMD: what browsers of before 2024 run.
import { load as loadPage } from './stonechat-page.mjs';

export const where = 'page';
export const load = (url, options) => loadPage(url, { ...options, build: 'simd' });
