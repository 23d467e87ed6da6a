// Types of dist/default-model.js, which scripts/build-js.mjs writes from models/default.gguf.

/**
 * The story model that comes with the package, as the bytes of a GGUF file: `load(defaultModel())`.
 * What it is, what it has seen and what it cannot do: docs/default-model.md.
 */
export function defaultModel(): Uint8Array<ArrayBuffer>;
