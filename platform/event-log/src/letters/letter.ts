/**
 * Records of a dead-letter topic. A letter is the original, byte for byte, with headers behind its own that say where it
 * comes from and why it is there. Marks say what became of it later, so letters themselves are never changed or removed.
 */
import { randomUUID } from 'node:crypto';
import { errorHeaderNames, errorHeaders, headerText, type DeadLetter } from '@parley/delivery';
import { HeaderList } from '../log/header-list.ts';
import type { NewRecord, RawRecord } from '../log/transport.ts';

/** Where the dead letters of a reaction go; a contract. */
export const letterTopicOf = (topic: string, group: string): string => `${topic}.${group}.dlq`;

/** Where a letter comes from, in its headers. */
export const originHeaderNames = {
  topic: 'x-origin-topic',
  partition: 'x-origin-partition',
  offset: 'x-origin-offset',
  /** Milliseconds since the epoch, as the record has it. */
  timestamp: 'x-origin-timestamp',
  group: 'x-origin-group',
} as const;

const markHeaderNames = {
  kind: 'x-letter-mark',
  /** Offset of the letter in the dead-letter topic, in the same partition. */
  letter: 'x-letter-offset',
  /** The same for every copy of one mark. */
  id: 'x-letter-mark-id',
  why: 'x-letter-why',
  time: 'x-letter-time',
  /** Of what became of a redrive: id of the request, empty when nobody asked. */
  answers: 'x-letter-answers',
} as const;

/**
 * The claim of the member that wrote a letter, before the other headers that are ours: releases without claims read those
 * alone, as the last ones, and write none.
 */
const CLAIM = 'x-letter-claim';

export type MarkKind = 'redrive' | 'redriven' | 'failed' | 'discarded';

/** Kind of a mark that is about no letter: a member was assigned the partition, and letters of earlier ones no longer count. */
const CLAIMED = 'claimed';

export interface LetterOrigin {
  readonly topic: string;
  readonly partition: number;
  readonly group: string;
}

/** What became of a letter. */
export interface Mark {
  readonly kind: MarkKind;
  readonly letter: number;
  readonly id: string;
  readonly why: string;
  readonly timeMs: number;
  /** Of a request to redrive: what is handled instead of the original's value. */
  readonly value: Buffer | null;
  /** Of `redriven` and `failed`: the request, empty when nobody asked; undefined in marks of earlier releases. */
  readonly answers: string | undefined;
}

/** A record that became a dead letter, as it lay in its topic, and why. */
export interface LetterContent {
  readonly record: RawRecord;
  readonly origin: LetterOrigin & { readonly offset: number };
  readonly error: DeadLetter;
  readonly timeMs: number;
  readonly claim: string | undefined;
}

export const letterRecord = (
  raw: RawRecord,
  { topic, partition, group }: LetterOrigin,
  why: { readonly error: DeadLetter; readonly nowMs: number; readonly claim: string },
): NewRecord => ({
  key: raw.key,
  value: raw.value,
  headers: HeaderList.of(raw).with({
    [CLAIM]: why.claim,
    [originHeaderNames.topic]: topic,
    [originHeaderNames.partition]: String(partition),
    [originHeaderNames.offset]: raw.offset,
    [originHeaderNames.timestamp]: raw.timestamp,
    [originHeaderNames.group]: group,
    ...errorHeaders(why.error, why.nowMs),
  }),
});

export const markRecord = (
  key: Buffer | null,
  mark: Pick<Mark, 'kind' | 'letter' | 'why'> & {
    readonly value?: Buffer | null;
    readonly answers?: string;
    readonly nowMs: number;
  },
): { readonly id: string; readonly record: NewRecord } => {
  const id = randomUUID();
  const headers = new HeaderList([]).with({
    [markHeaderNames.kind]: mark.kind,
    [markHeaderNames.letter]: String(mark.letter),
    [markHeaderNames.id]: id,
    [markHeaderNames.why]: headerText(mark.why),
    [markHeaderNames.time]: new Date(mark.nowMs).toISOString(),
    ...(mark.answers === undefined ? {} : { [markHeaderNames.answers]: mark.answers }),
  });
  return { id, record: { key, value: mark.value ?? null, headers } };
};

export const claimRecord = (nowMs: number): { readonly id: string; readonly record: NewRecord } => {
  const id = randomUUID();
  const headers = new HeaderList([]).with({
    [markHeaderNames.kind]: CLAIMED,
    [markHeaderNames.id]: id,
    [markHeaderNames.time]: new Date(nowMs).toISOString(),
  });
  return { id, record: { key: null, value: null, headers } };
};

/** Id of a claim; undefined for a record that is none. */
export const readClaim = (raw: RawRecord): string | undefined => {
  const headers = HeaderList.of(raw);
  return headers.text(markHeaderNames.kind) === CLAIMED ? headers.text(markHeaderNames.id) : undefined;
};

const OURS = [...Object.values(originHeaderNames), ...Object.values(errorHeaderNames)];

/** Undefined for a record that is no letter. */
export const readLetter = (raw: RawRecord): LetterContent | undefined => {
  const all = HeaderList.of(raw);
  const from = all.entries.length - OURS.length;
  if (from < 0) return undefined;
  const own = new HeaderList(all.entries.slice(from));
  if (!OURS.every((name, index) => own.entries[index]?.[0].toString() === name)) return undefined;
  const text = (name: string): string => own.text(name) ?? '';
  const [before, claim] = all.entries[from - 1] ?? [];
  const hasClaim = before?.toString() === CLAIM;
  const original = new HeaderList(all.entries.slice(0, hasClaim ? from - 1 : from));
  const offset = text(originHeaderNames.offset);
  const partition = Number(text(originHeaderNames.partition));
  if (!Number.isSafeInteger(Number(offset)) || !Number.isSafeInteger(partition)) return undefined;
  return {
    record: {
      key: raw.key,
      value: raw.value,
      headers: original.toHeaders(),
      headerList: original,
      offset,
      timestamp: text(originHeaderNames.timestamp),
    },
    origin: {
      topic: text(originHeaderNames.topic),
      partition,
      offset: Number(offset),
      group: text(originHeaderNames.group),
    },
    error: {
      reason: text(errorHeaderNames.reason),
      errorClass: text(errorHeaderNames.errorClass),
      message: text(errorHeaderNames.message),
      attempts: Number(text(errorHeaderNames.attempts)),
    },
    timeMs: Date.parse(text(errorHeaderNames.time)),
    claim: hasClaim ? claim?.toString() : undefined,
  };
};

const KINDS: readonly string[] = ['redrive', 'redriven', 'failed', 'discarded'] satisfies MarkKind[];

/** Undefined for a record that is no mark. */
export const readMark = (raw: RawRecord): Mark | undefined => {
  const headers = HeaderList.of(raw);
  const kind = headers.text(markHeaderNames.kind);
  if (kind === undefined || !KINDS.includes(kind)) return undefined;
  return {
    kind: kind as MarkKind, // one of them
    letter: Number(headers.text(markHeaderNames.letter)),
    id: headers.text(markHeaderNames.id) ?? '',
    why: headers.text(markHeaderNames.why) ?? '',
    timeMs: Date.parse(headers.text(markHeaderNames.time) ?? ''),
    value: raw.value,
    answers: headers.text(markHeaderNames.answers),
  };
};
