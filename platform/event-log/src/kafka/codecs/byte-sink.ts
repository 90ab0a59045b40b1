/** Unpacking would take more bytes than are allowed. */
export class UnpackedTooLarge extends RangeError {
  override readonly name = 'UnpackedTooLarge';

  constructor(max: number) {
    super(`a compressed batch unpacks to more than ${String(max)} bytes`);
  }
}

const FIRST_BYTES = 65_536;

/** Bytes that are written one behind the other, with a maximum; what was written can be copied again. */
export class ByteSink {
  readonly #max: number;
  #bytes: Buffer;
  length = 0;

  constructor(max: number) {
    this.#max = max;
    this.#bytes = Buffer.allocUnsafe(Math.min(max, FIRST_BYTES));
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  /** @throws RangeError when `from` has fewer bytes, UnpackedTooLarge */
  write(from: Buffer, start: number, count: number): void {
    if (start + count > from.length) throw new RangeError('a compressed block ends too early');
    this.#grow(count);
    from.copy(this.#bytes, this.length, start, start + count);
    this.length += count;
  }

  /** Copies from `distance` bytes back; what it writes may be part of what it copies. @throws RangeError, UnpackedTooLarge */
  repeat(distance: number, count: number): void {
    if (distance === 0 || distance > this.length)
      throw new RangeError('a compressed block points before its start');
    this.#grow(count);
    for (let left = count; left > 0;) {
      const now = Math.min(left, distance);
      this.#bytes.copyWithin(this.length, this.length - distance, this.length - distance + now);
      this.length += now;
      left -= now;
    }
  }

  #grow(count: number): void {
    const needed = this.length + count;
    if (needed > this.#max) throw new UnpackedTooLarge(this.#max);
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.min(this.#max, Math.max(needed, this.#bytes.length * 2)));
    this.bytes.copy(larger);
    this.#bytes = larger;
  }
}
