// A module that imports its memory, made over for shared memory: nothing but the memory's type differs.
// Layout: https://webassembly.github.io/spec/core/binary/modules.html

const IMPORT_SECTION = 2;
const MEMORY = 2;
/** Limits of a shared memory with a maximum, as asconfig.json has them. */
const SHARED = 3;
const MAXIMUM = 65536;

/** Unsigned LEB128. */
const leb = (value) => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)]);

/** Reads LEB128 at `at`: the value, and where it ends. */
function readLeb(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return { value, end: at };
  }
}

/** The twin of a module whose only import is an unshared memory. */
export function withSharedMemory(bytes) {
  let at = 8; // behind magic and version
  while (bytes[at] !== IMPORT_SECTION) {
    const { value, end } = readLeb(bytes, at + 1);
    at = end + value;
  }
  const { value: size, end: start } = readLeb(bytes, at + 1);
  const content = bytes.subarray(start, start + size);
  const names = [1, 2].reduce((from) => { const { value, end } = readLeb(content, from); return end + value; }, 1);
  const { end } = readLeb(content, names + 2);
  if (content[0] !== 1 || content[names] !== MEMORY || content[names + 1] !== 0 || end !== size) throw new Error('not a module whose only import is an unshared memory');
  const made = [...content.subarray(0, names + 1), SHARED, ...content.subarray(names + 2, end), ...leb(MAXIMUM)];
  return Buffer.concat([bytes.subarray(0, at + 1), Buffer.from(leb(made.length)), Buffer.from(made), bytes.subarray(start + size)]);
}
