// The header of a llama2.c checkpoint: what the format is known by. Apart from its reader, which only some pages need.

/** "ak42" as a little-endian number; v0 files have no magic. */
export const LLAMA2C_MAGIC = 0x616b3432;
/** Header of v0: seven int32. */
export const V0_HEADER_BYTES = 28;

/** Sizes in the order of the header. */
export interface Config {
  dim: number;
  hidden: number;
  layers: number;
  heads: number;
  kvHeads: number;
  vocabulary: number;
  context: number;
}

/** Limits that no real model meets; they also tell a v0 file from anything else. */
const MOST: Readonly<Config> = { dim: 1 << 16, hidden: 1 << 20, layers: 1024, heads: 1024, kvHeads: 1024, vocabulary: 1 << 22, context: 1 << 24 };

export function isPlausible(config: Config): boolean {
  const { dim, heads, kvHeads } = config;
  const inRange = (Object.keys(MOST) as (keyof Config)[]).every((key) => config[key] >= 1 && config[key] <= MOST[key]);
  return inRange && heads % kvHeads === 0 && dim % (2 * heads) === 0;
}

export function configFrom(numbers: readonly number[]): Config {
  const [dim, hidden, layers, heads, kvHeads, vocabulary, context] = numbers as [number, number, number, number, number, number, number];
  return { dim, hidden, layers, heads, kvHeads, vocabulary: Math.abs(vocabulary), context };
}

export const sevenFrom = (view: DataView): number[] => Array.from({ length: 7 }, (_, i) => view.getInt32(i * 4, true));

/** Whether the first bytes can be the header of a v0 file. */
export function looksLikeV0(bytes: Uint8Array): boolean {
  if (bytes.length < V0_HEADER_BYTES) return false;
  return isPlausible(configFrom(sevenFrom(new DataView(bytes.buffer, bytes.byteOffset, V0_HEADER_BYTES))));
}
