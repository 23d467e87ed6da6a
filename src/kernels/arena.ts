import { StonechatError } from '../errors.js';
import { MAX_PAGES, PAGE_BYTES } from './instance.js';

/** The lowest address handed out: below it live the module's own read-only tables. */
const FIRST_ADDRESS = 65536;
const ALIGN = 64;

export interface Region {
  readonly address: number;
  readonly bytes: number;
}

/**
 * Hands out aligned regions of one linear memory, growing it when needed. Freed regions are reused (first fit,
 * neighbours joined). Addresses are unsigned: up to 4 GiB.
 */
export class Arena {
  private free: Region[] = [];
  private end = FIRST_ADDRESS;

  constructor(readonly memory: WebAssembly.Memory) {}

  /** @throws StonechatError `out-of-memory` past 4 GiB or when the host refuses to grow. */
  allocate(bytes: number, what: string): number {
    const size = Math.max(ALIGN, Math.ceil(bytes / ALIGN) * ALIGN);
    const slot = this.free.findIndex((region) => region.bytes >= size);
    if (slot >= 0) {
      const { address, bytes: have } = this.free[slot]!;
      if (have > size) this.free[slot] = { address: address + size, bytes: have - size };
      else this.free.splice(slot, 1);
      return address;
    }
    this.grow(this.end + size, what);
    const address = this.end;
    this.end += size;
    return address;
  }

  /** Grows the memory at once, so that it need not be copied while loading. */
  reserve(bytes: number, what: string): void {
    this.grow(this.end + bytes, what);
  }

  release(address: number, bytes: number): void {
    const size = Math.max(ALIGN, Math.ceil(bytes / ALIGN) * ALIGN);
    const regions = [...this.free, { address, bytes: size }].sort((a, b) => a.address - b.address);
    this.free = [];
    for (const region of regions) {
      const last = this.free.at(-1);
      if (last && last.address + last.bytes === region.address) {
        this.free[this.free.length - 1] = { address: last.address, bytes: last.bytes + region.bytes };
      } else this.free.push(region);
    }
    const last = this.free.at(-1);
    if (last && last.address + last.bytes === this.end) {
      this.end = last.address;
      this.free.pop();
    }
  }

  /** Bytes of linear memory in use up to the highest region. */
  get used(): number {
    return this.end;
  }

  private grow(end: number, what: string): void {
    const have = this.memory.buffer.byteLength;
    if (end <= have) return;
    const pages = Math.ceil((end - have) / PAGE_BYTES);
    const refuse = (cause?: unknown) =>
      new StonechatError({
        code: 'out-of-memory',
        expected: `room for ${what} within the ${MAX_PAGES / 16384} GiB of WebAssembly memory`,
        found: `${(end / 2 ** 20).toFixed(0)} MiB needed in all`,
        remedy: 'Use a smaller or more strongly quantised model, a shorter context, or kvCache "q8_0".',
        cause,
      });
    if (end > MAX_PAGES * PAGE_BYTES) throw refuse();
    try {
      this.memory.grow(pages);
    } catch (cause) {
      throw refuse(cause);
    }
  }
}
