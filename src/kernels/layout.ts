/** How kernels lay things out in linear memory. */
export const F32_BYTES = 4;

/** Rows of a packed matrix that lie side by side; products write whole groups of result columns. */
export const GROUP = 8;
export const groupsOf = (rows: number): number => Math.ceil(rows / GROUP);

/** Elements between rows of values: whole groups. */
export const rowStride = (columns: number): number => groupsOf(columns) * GROUP;

/** Keys of one block of a KV cache. A multiple of what attention looks at together. */
export const KEY_BLOCK = 64;

/** Blocks of keys that hold so many tokens. */
export const keyBlocks = (tokens: number): number => Math.ceil(tokens / KEY_BLOCK);

/** Elements per work item of kernels that walk over a whole tensor: see assembly/kernels/elements.ts. */
const ELEMENT_BLOCK = 1024;
/** Columns per work item of the gradients of vectors: see assembly/kernels/bias.ts. */
export const COLUMN_BLOCK = 16;

/** Work items for `count` elements or columns. */
export const blocks = (count: number, size = ELEMENT_BLOCK): number => Math.ceil(count / size);

/** The kernels' numbers for rope scaling: see assembly/kernels/rope.ts. */
export const ROPE_KIND = { none: 0, linear: 1, yarn: 2, llama3: 3, yarn_exact: 4 } as const;
