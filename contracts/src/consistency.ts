/**
 * The consistency token. Every write answers with the log position of its last event (`x-parley-position`); whoever
 * hands it on as `x-parley-at-least`, to any service and over any protocol, reads nothing older than that write.
 */
import { httpHeaders } from './headers.ts';
import { eventTopics } from './topics.ts';

/** Where a record lies in the log. */
export interface LogPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Bounds of an `x-parley-at-least` header. */
export const atLeastLimits = { lengthMax: 1024, positionsMax: 16 } as const;

/**
 * How long a read waits for its position when the client does not say, and the longest that it may ask for: less than
 * the gateway gives any route, so that the answer is the service's own.
 */
export const waitLimits = { defaultMs: 2000, maxMs: 4000 } as const;

const RETRY_AFTER_SECONDS = 1;
const grammar = /^(?<topic>[a-z][a-z0-9.-]{0,99})\/(?<partition>0|[1-9]\d{0,4})@(?<offset>0|[1-9]\d{0,15})$/;
const partitionsOf: ReadonlyMap<string, number> = new Map(
  eventTopics.map(({ name, partitions }) => [name, partitions]),
);

/** `topic/partition@offset` */
export const formatPosition = ({ topic, partition, offset }: LogPosition): string =>
  `${topic}/${String(partition)}@${String(offset)}`;

/** The positions of an `x-parley-at-least` header, or why it is none. */
export type ParsedPositions =
  | { readonly kind: 'positions'; readonly positions: readonly LogPosition[] }
  | { readonly kind: 'invalid'; readonly message: string };

const invalid = (message: string): ParsedPositions => ({ kind: 'invalid', message });

/**
 * Reads one position or a comma-separated list of at most `atLeastLimits.positionsMax`. The topic must be one of ours,
 * the partition one that it has, the offset a safe integer. The text is untrusted and never repeated in the message.
 */
export const parsePositions = (text: string): ParsedPositions => {
  const { lengthMax, positionsMax } = atLeastLimits;
  if (text.length > lengthMax) return invalid(`must have at most ${String(lengthMax)} characters`);
  const items = text.split(',');
  if (items.length > positionsMax) return invalid(`must name at most ${String(positionsMax)} positions`);
  const positions: LogPosition[] = [];
  for (const item of items) {
    const { topic, partition, offset } = grammar.exec(item.trim())?.groups ?? {};
    if (topic === undefined)
      return invalid('must be topic/partition@offset, or a comma-separated list of them');
    const position = { topic, partition: Number(partition), offset: Number(offset) };
    const partitions = partitionsOf.get(topic);
    if (partitions === undefined) return invalid('must name a topic of the event log');
    if (position.partition >= partitions) return invalid(`must name a partition below ${String(partitions)}`);
    if (!Number.isSafeInteger(position.offset)) return invalid('must name an offset below 2^53');
    positions.push(position);
  }
  return { kind: 'positions', positions };
};

/**
 * The wait that `Prefer: wait=<seconds>` (RFC 7240) asks for, at most `waitLimits.maxMs`. As the RFC has it, the first
 * of several counts, and a preference that cannot be understood is passed over.
 */
export const waitMsOf = (prefer: string | undefined): number => {
  for (const preference of (prefer ?? '').split(',')) {
    const seconds = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;|$)/i.exec(preference)?.[1];
    if (seconds !== undefined) return Math.min(Number(seconds) * 1000, waitLimits.maxMs);
  }
  return waitLimits.defaultMs;
};

/** What is asked of a service's log: it waits until everything up to the position is in the service's read models. */
export interface PositionWaiter {
  waitFor(
    position: LogPosition,
    options: { readonly deadlineMs: number },
  ): Promise<'reached' | 'late' | 'not-followed'>;
}

/** A request or a call as the rule needs it. */
export interface ConsistentRequest {
  /** A header or metadata value by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  /** Milliseconds until the answer must be on its way. */
  readonly leftMs: number;
}

/** How a request is refused: rubbish for good, a position that is not there yet for now. */
export interface ConsistencyRefusal {
  readonly code: 'VALIDATION_FAILED' | 'NOT_YET_CONSISTENT';
  readonly detail: string;
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  readonly retryAfterSeconds?: number;
}

/**
 * The rule for one service: a request that carries `x-parley-at-least` is let through (undefined) once the log has
 * come to every position that it names, and refused when that is not within its wait. A topic of ours that the service
 * does not follow holds no request up: nothing that it answers depends on that topic.
 */
export const atLeast =
  (log: PositionWaiter) =>
  async ({ header, leftMs }: ConsistentRequest): Promise<ConsistencyRefusal | undefined> => {
    const text = header(httpHeaders.atLeast);
    if (text === undefined) return undefined;
    const parsed = parsePositions(text);
    if (parsed.kind === 'invalid') {
      const { message } = parsed;
      const detail = `The ${httpHeaders.atLeast} header ${message}.`;
      return { code: 'VALIDATION_FAILED', detail, errors: [{ path: httpHeaders.atLeast, message }] };
    }
    const deadlineMs = Math.max(0, Math.min(waitMsOf(header(httpHeaders.prefer)), leftMs));
    const outcomes = await Promise.all(
      parsed.positions.map((position) => log.waitFor(position, { deadlineMs })),
    );
    const late = parsed.positions.find((_position, index) => outcomes[index] === 'late');
    if (late === undefined) return undefined;
    const detail = `This service has not come to ${formatPosition(late)} yet; it waits ${String(deadlineMs)} ms at most.`;
    return { code: 'NOT_YET_CONSISTENT', detail, retryAfterSeconds: RETRY_AFTER_SECONDS };
  };
