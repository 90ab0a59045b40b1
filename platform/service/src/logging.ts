import { trace } from '@opentelemetry/api';
import pino, { type DestinationStream, type Logger } from 'pino';
import { requestContext } from './context.ts';

export type { Logger } from 'pino';

/** Keys whose values never reach a log, at the top level and one below. */
const PERSONAL = [
  'authorization',
  'cookie',
  'token',
  'password',
  'secret',
  'userId',
  'customerId',
  'email',
  'card',
];

/**
 * One JSON object a line on stdout, with service, instance, correlationId, traceId and spanId. Untrusted text is JSON
 * encoded, so it never breaks a line.
 */
export const createLogger = (options: {
  readonly service: string;
  readonly instance: string;
  readonly level: string;
  readonly destination?: DestinationStream;
}): Logger =>
  pino(
    {
      level: options.level,
      base: { service: options.service, instance: options.instance },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: PERSONAL.flatMap((key) => [key, `*.${key}`]), censor: '[withheld]' },
      mixin: () => {
        const span = trace.getActiveSpan()?.spanContext();
        return {
          correlationId: requestContext()?.correlationId,
          traceId: span?.traceId,
          spanId: span?.spanId,
        };
      },
    },
    options.destination ?? pino.destination({ fd: 1, sync: true }),
  );
