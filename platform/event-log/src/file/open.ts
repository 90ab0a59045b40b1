import { pino, type Logger } from 'pino';
import { TransportLog } from '../log/event-log.ts';
import { defaultLimits, type LogLimits } from '../log/limits.ts';
import type { EventLog } from '../ports.ts';
import { FileTransport } from './transport.ts';

export interface FileLogOptions {
  /** Default: silent. */
  readonly logger?: Logger;
  readonly limits?: Partial<LogLimits>;
}

/**
 * The event log of a file, read-only: projections replay from it as from Kafka, to the same verdicts and the same
 * state hash. `start` reads the whole file before anything is folded and rejects with LogFileError when it is not
 * whole; it resolves when everything was folded. Appends are `rejected`, reactions make `start` reject.
 */
export const openFileLog = (path: string, options: FileLogOptions = {}): EventLog =>
  new TransportLog(new FileTransport(path), {
    service: 'file',
    logger: options.logger ?? pino({ level: 'silent' }),
    limits: { ...defaultLimits, ...options.limits },
    hops: 'child',
    now: Date.now,
  });
