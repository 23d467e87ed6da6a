// What the text of a worker leaves out: parts that few models need. The build puts this file in their place; whoever asks for
// one finds that the whole program is needed, and the caller starts that.

let wanted = false;

export const isRestWanted = (): boolean => wanted;

/** Rejects the import() that asks. */
export function wantRest(): never {
  wanted = true;
  throw new Error('a part of the package that this worker does not carry');
}
