const IMPORTS = 2;
const MEMORY = 2;
/** Bits of a memory's limits: it has a maximum, it is shared. */
const SHARED = 3;

function readNumber(bytes, at) {
  let [value, shift, next] = [0, 0, at];
  for (;;) {
    const byte = bytes[next++];
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return { value, next };
    shift += 7;
  }
}

/** LEB128, as WebAssembly writes numbers. */
function writeNumber(value) {
  const bytes = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

/** Where the sections of a module begin and end. */
function* sections(module) {
  for (let at = 8; at < module.length; ) {
    const { value: length, next: start } = readNumber(module, at + 1);
    yield { id: module[at], at, start, end: start + length };
    at = start + length;
  }
}

/** The same module with its imported memory, the only import, shared and of at most `most` pages. */
export function sharedTwin(module, most) {
  const section = [...sections(module)].find(({ id }) => id === IMPORTS);
  const count = readNumber(module, section.start);
  let { next } = count;
  for (let name = 0; name < 2; name++) {
    const { value: length, next: start } = readNumber(module, next);
    next = start + length;
  }
  if (count.value !== 1 || module[next] !== MEMORY || module[next + 1] !== 0) throw new Error('expected a module that imports a memory that is not shared, and nothing else');
  const first = readNumber(module, next + 2);
  const content = [...module.subarray(section.start, next + 1), SHARED, ...writeNumber(first.value), ...writeNumber(most), ...module.subarray(first.next, section.end)];
  return Buffer.concat([module.subarray(0, section.at), Buffer.from([IMPORTS, ...writeNumber(content.length), ...content]), module.subarray(section.end)]);
}
