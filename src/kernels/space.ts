/** Offsets for buffers that live from one step to another: freed space is taken again (best fit), the end only grows when it must. */
export class BufferSpace {
  private free: { offset: number; bytes: number }[] = [];
  private end = 0;

  /** Highest byte ever used. */
  bytes = 0;

  constructor(private readonly align = 64) {}

  take(bytes: number): number {
    const size = this.rounded(bytes);
    let fits: { offset: number; bytes: number } | undefined;
    for (const hole of this.free) if (hole.bytes >= size && (!fits || hole.bytes < fits.bytes)) fits = hole;
    if (!fits) {
      const offset = this.end;
      this.end += size;
      this.bytes = Math.max(this.bytes, this.end);
      return offset;
    }
    const { offset } = fits;
    fits.offset += size;
    fits.bytes -= size;
    this.free = this.free.filter((hole) => hole.bytes > 0);
    return offset;
  }

  give(offset: number, bytes: number): void {
    this.free.push({ offset, bytes: this.rounded(bytes) });
    this.free.sort((a, b) => a.offset - b.offset);
    const joined: typeof this.free = [];
    for (const hole of this.free) {
      const last = joined.at(-1);
      if (last && last.offset + last.bytes === hole.offset) last.bytes += hole.bytes;
      else joined.push(hole);
    }
    this.free = joined;
  }

  private rounded(bytes: number): number {
    return Math.ceil(bytes / this.align) * this.align;
  }
}
