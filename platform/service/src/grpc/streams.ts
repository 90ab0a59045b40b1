import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

const TIMEOUT_HEADER = 'grpc-timeout';
/** As the protocol has it: at most eight digits and a unit. */
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
/** setTimeout knows no longer one. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/**
 * What grpc-js is to read of a timeout: it looks for digits anywhere in the header, so `-1S` would be a second, and it
 * overflows beyond 24 days. Undefined for one that is none: the call then has no deadline, and is refused for that.
 */
export const readTimeout = (value: string): string | undefined => {
  const [, digits, unit = ''] = TIMEOUT.exec(value) ?? [];
  const perUnitMs = MS[unit];
  if (digits === undefined || perUnitMs === undefined) return undefined;
  return Number(digits) * perUnitMs > TIMEOUT_MS_MAX ? `${Math.floor(TIMEOUT_MS_MAX / 1_000)}S` : value;
};

type StreamHandler = (
  interceptors: unknown,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders & { [TIMEOUT_HEADER]?: string | undefined },
) => void;

/**
 * Looks at every stream before grpc-js does, by the one method of its server that all streams go through (1.14, private).
 *
 * @param isReset true: the stream is cut off instead of being handled; absent: none is
 */
export const beforeStreams = (
  server: Server,
  isReset: ((path: string) => Promise<boolean>) | undefined,
): void => {
  const inner = server as unknown as { _streamHandler?: StreamHandler };
  const handle = inner._streamHandler;
  if (handle === undefined) throw new Error('grpc-js has changed: a server has no _streamHandler');
  inner._streamHandler = function (this: Server, interceptors, stream, headers) {
    const timeout = headers[TIMEOUT_HEADER];
    if (timeout !== undefined) headers[TIMEOUT_HEADER] = readTimeout(timeout);
    if (headers[TIMEOUT_HEADER] === undefined) Reflect.deleteProperty(headers, TIMEOUT_HEADER);
    if (isReset === undefined) {
      handle.call(this, interceptors, stream, headers);
      return;
    }
    stream.on('error', () => undefined); // it is cut on purpose
    void isReset(headers[':path']?.toString() ?? '').then((cut) => {
      if (cut) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      else handle.call(this, interceptors, stream, headers);
    });
  };
};
