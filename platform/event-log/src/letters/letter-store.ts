/** The dead letters of the reactions of one process, for people: told, shown, redriven, discarded. */
import type { DeadLetterStore, LetterDetail, LetterState, LetterSummary } from '@parley/delivery';
import type { AvroCodec } from '../avro/codec.ts';
import { logHeaders } from '../headers.ts';
import { HeaderList } from '../log/header-list.ts';
import type { DomainEvent } from '../ports.ts';
import type { LetterBox } from './letter-box.ts';
import type { OpenLetter } from './partition-letters.ts';

/** Times that a letter may be redriven; then it is to be discarded. */
const REDRIVES_MAX = 20;

/** What a letter says, and bytes that say something else. */
interface LetterCodec {
  /** Undefined when its bytes cannot be read. */
  decode(value: Buffer | null): Promise<{ readonly type: string; readonly data: unknown } | undefined>;
  /** Bytes of the same type; the problem when they do not fit its schema. */
  encode(type: string, data: unknown): { readonly value: Buffer } | { readonly problem: string };
}

/** One reaction's. */
export interface LetterSource {
  readonly letters: LetterBox;
  readonly group: string;
  readonly codec: LetterCodec;
}

export class LetterStore implements DeadLetterStore {
  readonly #sources: readonly LetterSource[];

  /** Sources may be added to the list later. */
  constructor(sources: readonly LetterSource[]) {
    this.#sources = sources;
  }

  list(): Promise<readonly LetterSummary[]> {
    return Promise.resolve(
      this.#sources.flatMap((source) => [
        ...[...source.letters.open()].map((letter) => summaryOf(source, letter)),
        ...source.letters.settled.map(({ letter, as, why }) => ({
          ...summaryOf(source, letter),
          state: as,
          note: why,
        })),
      ]),
    );
  }

  async show(id: string): Promise<LetterDetail | undefined> {
    const found = this.#find(id);
    if (found === undefined) return undefined;
    const { source, letter } = found;
    const { record, error } = letter;
    const list = HeaderList.of(record);
    return {
      ...summaryOf(source, letter),
      errorClass: error.errorClass,
      traceparent: list.text(logHeaders.traceparent),
      headers: list.entries.map(([name, value]) => [name.toString(), value === null ? null : textOf(value)]),
      key: record.key?.toString() ?? null,
      value: record.value?.toString('base64') ?? null,
      decoded: (await source.codec.decode(record.value))?.data,
    };
  }

  async redrive(
    id: string,
    { why, edited }: { readonly why: string; readonly edited?: unknown },
  ): ReturnType<DeadLetterStore['redrive']> {
    const found = this.#find(id);
    if (found === undefined) return { kind: 'not-found' };
    const { source, letter } = found;
    if (letter.redrives >= REDRIVES_MAX)
      return { kind: 'refused', why: `it was redriven ${String(letter.redrives)} times: discard it` };
    if (letter.streamId === undefined)
      return {
        kind: 'refused',
        why: 'it cannot be decoded and is no event of the history: discard it, and append what it should have been',
      };
    if (edited === undefined) {
      await source.letters.mark(letter, { kind: 'redrive', why });
      return { kind: 'ok' };
    }
    const original = await source.codec.decode(letter.record.value);
    const encoded =
      original === undefined
        ? { problem: 'the original cannot be decoded' }
        : source.codec.encode(original.type, edited);
    if ('problem' in encoded) return { kind: 'refused', why: encoded.problem };
    await source.letters.mark(letter, { kind: 'redrive', why, value: encoded.value });
    return { kind: 'ok' };
  }

  async discard(id: string, { why }: { readonly why: string }): ReturnType<DeadLetterStore['discard']> {
    const found = this.#find(id);
    if (found === undefined) return { kind: 'not-found' };
    await found.source.letters.mark(found.letter, { kind: 'discarded', why });
    return { kind: 'ok' };
  }

  #find(id: string): { readonly source: LetterSource; readonly letter: OpenLetter } | undefined {
    for (const source of this.#sources) {
      if (!id.startsWith(`${source.group}:`)) continue;
      const letter = source.letters.find(id.slice(source.group.length + 1));
      if (letter !== undefined) return { source, letter };
    }
    return undefined;
  }
}

const summaryOf = ({ group }: LetterSource, letter: OpenLetter): LetterSummary => {
  const { record, origin, error } = letter;
  const list = HeaderList.of(record);
  const state: LetterState = letter.requested === undefined ? 'open' : 'requested';
  return {
    id: `${group}:${letter.id}`,
    broker: 'kafka',
    source: origin.topic,
    consumer: group,
    position: `${String(origin.partition)}@${String(origin.offset)}`,
    subject: record.key?.toString() ?? '',
    type: list.text(logHeaders.type) ?? '',
    correlationId: list.text(logHeaders.correlationId) ?? '',
    reason: error.reason,
    message: error.message,
    attempts: error.attempts,
    sinceMs: Number.isNaN(letter.timeMs) ? undefined : letter.timeMs,
    redrives: letter.redrives,
    state,
    note: letter.lastWhy,
  };
};

export const letterCodec = <E extends DomainEvent>(codec: AvroCodec<E>): LetterCodec => ({
  decode: async (value) => {
    const missing = codec.missing(value);
    if (missing !== undefined) await codec.prepare(missing);
    return codec.decode(value) ?? undefined;
  },
  encode: (type, data) => {
    const problem = codec.problemOf(type, data);
    return problem === undefined ? { value: codec.encode({ type, data } as E) } : { problem }; // it fits its schema
  },
});

/** Text as text, anything else hexadecimal. */
const textOf = (bytes: Buffer): string => {
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) && !/\p{Cc}/u.test(text) ? text : bytes.toString('hex');
};
