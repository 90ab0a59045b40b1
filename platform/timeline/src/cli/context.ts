import { pino } from 'pino';
import { logAddressesFrom } from '../addresses.ts';
import { openFileSource } from '../source/file-source.ts';
import { openKafkaSource } from '../source/kafka-source.ts';
import type { LogSource } from '../source/log-source.ts';

/** Where text goes: a stream of the process, or a test. */
export interface Sink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** What a command gets from its process. */
export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly stdout: Sink;
  readonly stderr: Sink;
}

/** Warnings of the client on stderr; everything else of it is silent. */
export const clientLogger = pino(
  { level: process.env.LOG_LEVEL ?? 'error', base: {} },
  pino.destination({ fd: 2, sync: true }),
);

/** The file, when one is named, else Kafka. */
export const openSource = ({ env, signal }: Context, file?: string): Promise<LogSource> =>
  file === undefined
    ? openKafkaSource({ ...logAddressesFrom(env), logger: clientLogger })
    : openFileSource(file, signal);
