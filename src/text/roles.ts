import type { Json } from './json.js';

/** Texts of all `…_token` of Hugging Face's files, the first file first: a text, or an object with the text as content. */
export function specialNames(sources: readonly (Json | undefined)[]): Record<string, string> {
  const names: Record<string, string> = {};
  for (const source of sources) {
    for (const [name] of source?.rawEntries() ?? []) {
      const value = source!.get(name);
      if (!name.endsWith('_token') || name in names) continue;
      if (value.isText()) names[name] = value.text();
      else if (value.get('content').isText()) names[name] = value.get('content').text();
    }
  }
  return names;
}
