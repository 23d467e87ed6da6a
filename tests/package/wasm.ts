// Reads imports and exports of a WebAssembly module from its bytes: Node 20 cannot compile the relaxed builds.
// Layout: https://webassembly.github.io/spec/core/binary/modules.html

const SECTION = { type: 1, import: 2, function: 3, export: 7, data: 11 };
const VALUE_TYPES: Record<number, string> = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64', 0x7b: 'v128' };
const KINDS = ['function', 'table', 'memory', 'global'];

class Reader {
  position = 0;
  constructor(private readonly bytes: Uint8Array) {}

  get done(): boolean {
    return this.position >= this.bytes.length;
  }

  byte(): number {
    return this.bytes[this.position++]!;
  }

  /** Unsigned LEB128. */
  size(): number {
    const byte = this.byte();
    return byte < 128 ? byte : (byte & 127) + 128 * this.size();
  }

  take(length: number): Uint8Array {
    return this.bytes.subarray(this.position, (this.position += length));
  }

  name(): string {
    return new TextDecoder().decode(this.take(this.size()));
  }

  list<T>(item: () => T): T[] {
    return Array.from({ length: this.size() }, item);
  }
}

function sections(bytes: Uint8Array): Map<number, Reader> {
  const reader = new Reader(bytes);
  reader.take(8); // magic, version
  const found = new Map<number, Reader>();
  while (!reader.done) found.set(reader.byte(), new Reader(reader.take(reader.size())));
  return found;
}

const readTypes = (reader: Reader): string[] =>
  reader.list(() => {
    reader.byte(); // 0x60: a function
    const types = () => reader.list(() => VALUE_TYPES[reader.byte()] ?? '?').join(',');
    return `(${types()}) -> ${types()}`;
  });

/** Memories only: the one import of these modules. */
const readImports = (reader: Reader): string[] =>
  reader.list(() => {
    const name = `${reader.name()}.${reader.name()}`;
    const kind = KINDS[reader.byte()];
    if (kind !== 'memory') return `${name}: ${kind}`;
    const flags = reader.byte();
    reader.size();
    if (flags & 1) reader.size();
    return name;
  });

/** Where a module's data lie: first and end of each segment. */
export function dataOf(bytes: Uint8Array): { first: number; end: number }[] {
  const reader = sections(bytes).get(SECTION.data);
  return (
    reader?.list(() => {
      reader.take(2); // active, of memory 0; i32.const
      const first = reader.size(); // signed, but small
      reader.byte(); // end
      return { first, end: first + reader.take(reader.size()).length };
    }) ?? []
  );
}

/** Exports with signatures, sorted, and the names of the imports. */
export function describeModule(bytes: Uint8Array): { exports: string[]; imports: string[] } {
  const found = sections(bytes);
  const types = readTypes(found.get(SECTION.type)!);
  const functions = found.get(SECTION.function)!;
  const signatures = functions.list(() => types[functions.size()]!);
  const reader = found.get(SECTION.export)!;
  const exports = reader.list(() => {
    const name = reader.name();
    const kind = KINDS[reader.byte()];
    const index = reader.size();
    return `${kind} ${name}${kind === 'function' ? signatures[index] : ''}`;
  });
  return { exports: exports.sort(), imports: readImports(found.get(SECTION.import)!) };
}
