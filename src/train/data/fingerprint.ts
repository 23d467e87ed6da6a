/** FNV-1a (32 bit) over words: tells one set of data from another. */
export class Fingerprint {
  private hash = 0x811c9dc5;

  take(word: number): void {
    this.hash = Math.imul(this.hash ^ word, 0x01000193);
  }

  get value(): number {
    return this.hash >>> 0;
  }
}
