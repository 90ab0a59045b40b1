import { Buffer } from 'node:buffer';

export type HeaderValue = Buffer | string | (Buffer | string)[] | undefined;

type Entry = readonly [name: Buffer, value: Buffer | null];

/** Headers of a record in the order and with the bytes in which they lie in the log, repeated names and null included. */
export class HeaderList {
  readonly entries: readonly Entry[];

  constructor(entries: readonly Entry[]) {
    this.entries = entries;
  }

  /** Of a record; of one that does not tell its order, in that of its names. */
  static of(record: {
    readonly headers?: Readonly<Record<string, HeaderValue>>;
    readonly headerList?: HeaderList;
  }): HeaderList {
    if (record.headerList !== undefined) return record.headerList;
    const entries: Entry[] = [];
    for (const [name, value] of Object.entries(record.headers ?? {}))
      for (const one of Array.isArray(value) ? value : [value])
        entries.push([Buffer.from(name), one === undefined ? null : Buffer.from(one)]);
    return new HeaderList(entries);
  }

  /** These, and behind them others. */
  with(more: Readonly<Record<string, string>>): HeaderList {
    const added = Object.entries(more).map(([name, value]): Entry => [Buffer.from(name), Buffer.from(value)]);
    return new HeaderList([...this.entries, ...added]);
  }

  /** The last value under a name, as text. */
  text(name: string): string | undefined {
    return this.entries.findLast(([other]) => other.toString() === name)?.[1]?.toString();
  }

  /** As an object, as kafkajs gives it. */
  toHeaders(): Record<string, Buffer | Buffer[]> {
    const headers: Record<string, Buffer | Buffer[]> = {};
    for (const [key, value] of this.entries) {
      const name = key.toString();
      if (value === null || name === '__proto__') continue;
      const held = Object.hasOwn(headers, name) ? headers[name] : undefined;
      headers[name] = held === undefined ? value : [...(Array.isArray(held) ? held : [held]), value];
    }
    return headers;
  }
}
