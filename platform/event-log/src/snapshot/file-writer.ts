import { Buffer } from 'node:buffer';
import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { sortInSlices, type Breather } from './breather.ts';
import { ByteSink, isLatin1 } from './byte-sink.ts';
import { SnapshotRefused } from './errors.ts';
import { CHUNK_BYTES, MAGIC, SNAPSHOT_FORMAT, type Section, type SnapshotTrailer } from './format.ts';
import { GONE, type FrozenMap } from './layered-map.ts';
import type { Shapes } from './shapes.ts';
import type { KeyWidth, TableLayout } from './table.ts';

/** Encodes the values of a table. */
export type Encode<V> = (sink: ByteSink, value: V, shapes: Shapes) => void;

/** Writes one file, section by section, in slices. */
export class SnapshotFileWriter {
  readonly breather: Breather;
  readonly shapes: Shapes;
  readonly #handle: FileHandle;
  readonly #bytesMax: number;
  readonly #out = new ByteSink(CHUNK_BYTES * 2);
  readonly #sections: Record<string, Section> = {};
  /** Bytes in the file, without those that wait in `out`. */
  #flushed = 0;
  #hash: Hash = createHash('sha256');

  private constructor(
    handle: FileHandle,
    options: { readonly breather: Breather; readonly shapes: Shapes; readonly bytesMax: number },
  ) {
    this.#handle = handle;
    this.breather = options.breather;
    this.shapes = options.shapes;
    this.#bytesMax = options.bytesMax;
    this.#out.bytes(MAGIC);
  }

  /** @param options.shapes those of the file whose tables are copied, if any. @throws when the file exists. */
  static async create(
    path: string,
    options: { readonly breather: Breather; readonly shapes: Shapes; readonly bytesMax: number },
  ): Promise<SnapshotFileWriter> {
    return new SnapshotFileWriter(await open(path, 'wx'), options);
  }

  get bytes(): number {
    return this.#flushed + this.#out.length;
  }

  /** @param bytes a multiple of 8. */
  async section(name: string, bytes: Buffer): Promise<void> {
    const at = await this.#begin();
    this.#out.bytes(bytes);
    await this.#end(name, at);
  }

  /**
   * A table of what a map held. Entries that lie unchanged in an older snapshot are copied as they are. `onEntry` is
   * told each entry in ascending order of the keys; `baseIndex` is -1 unless it is copied.
   */
  async table<V>(
    name: string,
    { base, changes }: FrozenMap<V>,
    encode: Encode<V>,
    onEntry?: (value: V | undefined, baseIndex: number) => void,
  ): Promise<void> {
    const changed = await sortInSlices(changes.keys(), this.breather);
    const keyWidth = base?.keyWidth === 2 ? 2 : await this.#widthOf(changed);
    const at = await this.#begin();
    const keys = new ByteSink();
    const keyEnds = new ByteSink();
    const valueEnds = new ByteSink();
    let entries = 0;
    let steps = 0;
    const baseLength = base?.length ?? 0;
    const placeOf = (key: string | undefined): number =>
      key === undefined ? baseLength : (base?.firstAfter(key, true) ?? 0);
    let upTo = placeOf(changed[0]);
    for (let inBase = 0, inChanged = 0; inBase < baseLength || inChanged < changed.length;) {
      if ((++steps & 0x1f) === 0) await this.#breathe(); // also where everything was deleted
      const key = changed[inChanged];
      if (base !== undefined && inBase < upTo) {
        if (base.keyWidth === keyWidth) base.copyKey(inBase, keys);
        else keys.utf16(base.keyAt(inBase));
        base.copyValue(inBase, this.#out);
        onEntry?.(undefined, inBase);
        inBase++;
      } else if (key !== undefined) {
        const value = changes.get(key);
        if (base !== undefined && inBase < baseLength && base.keyAt(inBase) === key) inBase++;
        upTo = placeOf(changed[++inChanged]);
        if (value === undefined || value === GONE) continue;
        if (keyWidth === 1) keys.latin1(key);
        else keys.utf16(key);
        this.#encode(name, key, value, encode);
        onEntry?.(value, -1);
      }
      keyEnds.u32(keys.length);
      valueEnds.u32(this.bytes - at);
      entries++;
    }
    const layout = await this.#finishTable(at, [keys, keyEnds, valueEnds]);
    await this.#end(name, at, { entries, keyWidth, ...layout });
  }

  /** Completes the file and makes it durable. Answers its bytes. */
  async finish(meta: unknown): Promise<number> {
    await this.#begin();
    const trailer = Buffer.from(
      JSON.stringify({
        format: SNAPSHOT_FORMAT,
        meta,
        shapes: this.shapes.all,
        sections: this.#sections,
      } satisfies SnapshotTrailer<unknown>),
    );
    this.#out.bytes(trailer);
    this.#out.u32(trailer.length);
    this.#out.bytes(createHash('sha256').update(trailer).digest());
    this.#out.bytes(MAGIC);
    const { bytes } = this;
    await this.#flush();
    await this.#handle.sync();
    await this.#handle.close();
    return bytes;
  }

  /** Gives the file up; what is there of it stays for the caller to remove. */
  async abandon(): Promise<void> {
    await this.#handle.close();
  }

  async #widthOf(keys: readonly string[]): Promise<KeyWidth> {
    for (const [index, key] of keys.entries()) {
      if (!isLatin1(key)) return 2;
      if ((index & 0xff) === 0 && this.breather.due) await this.breather.pause();
    }
    return 1;
  }

  #encode<V>(name: string, key: string, value: V, encode: Encode<V>): void {
    try {
      encode(this.#out, value, this.shapes);
    } catch (error) {
      if (!(error instanceof SnapshotRefused)) throw error;
      throw new SnapshotRefused(`${name} of ${key}: ${error.message}`);
    }
  }

  async #finishTable(
    at: number,
    parts: readonly [ByteSink, ByteSink, ByteSink],
  ): Promise<Pick<TableLayout, 'keysAt' | 'keyEndsAt' | 'valueEndsAt'>> {
    const starts: number[] = [];
    for (const part of parts) {
      this.#pad();
      starts.push(this.bytes - at);
      const bytes = part.view();
      for (let from = 0; from < bytes.length; from += CHUNK_BYTES) {
        this.#out.bytes(bytes, from, Math.min(bytes.length, from + CHUNK_BYTES));
        await this.#breathe();
      }
    }
    const [keysAt = 0, keyEndsAt = 0, valueEndsAt = 0] = starts;
    return { keysAt, keyEndsAt, valueEndsAt };
  }

  /** Every section begins at a multiple of 8, with an empty hash. */
  async #begin(): Promise<number> {
    await this.#flush();
    this.#hash = createHash('sha256');
    return this.bytes;
  }

  async #end(name: string, at: number, table?: TableLayout): Promise<void> {
    this.#pad();
    const bytes = this.bytes - at;
    await this.#flush();
    const sha256 = this.#hash.digest('hex');
    this.#sections[name] = { at, bytes, sha256, ...(table === undefined ? {} : { table }) };
  }

  #pad(): void {
    while (this.bytes % 8 !== 0) this.#out.u8(0);
  }

  async #breathe(): Promise<void> {
    if (this.#out.length >= CHUNK_BYTES) await this.#flush();
    if (this.breather.due) await this.breather.pause();
  }

  async #flush(): Promise<void> {
    const bytes = this.#out.view();
    if (bytes.length === 0) return;
    if (this.#flushed + bytes.length > this.#bytesMax)
      throw new SnapshotRefused(`it would be larger than ${this.#bytesMax} bytes`);
    this.#hash.update(bytes);
    await this.#handle.writeFile(bytes);
    this.#flushed += bytes.length;
    this.#out.clear();
    await this.breather.pause();
  }
}
