import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { answerUnreadable } from './unreadable.ts';

/** A listening HTTP server. */
export interface HttpServer {
  readonly port: number;
  /** Stops accepting, lets requests under way finish, then cuts what is left at the deadline. True when nothing was cut. */
  drain(deadlineMs: number): Promise<boolean>;
}

const KEEP_ALIVE_MS = 65_000;
/** A client that has sent no whole header, or no whole request, in this time is answered 408 and cut. */
const HEADERS_MS_MAX = 10_000;
const REQUEST_MS_MAX = 20_000;
/** Headers of a request in bytes: more than the gateway lets in (60 KiB) and adds, so that it is the one to refuse, with a problem. */
const HEADER_BYTES_MAX = 80 * 1024;
/** Silence after which the system asks whether the client is still there. */
const PROBE_AFTER_MS = 60_000;
/** How often that is looked at. */
const CHECK_MS = 1_000;
/** Connections, idle ones included; further ones are closed at once. */
const CONNECTIONS_MAX = 10_000;

const listen = (server: Server, port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });

/** Listens; rejects when the port is taken. */
export const listenHttp = async (
  app: Hono,
  options: {
    readonly port: number;
    readonly host: string;
    /** Default 10 s and 20 s. */
    readonly headersMsMax?: number;
    readonly requestMsMax?: number;
  },
): Promise<HttpServer> => {
  // It makes the process's Request and Response its own, which hold what Hono gives them without copies in between.
  // The adapter says in the same turn, and without the request, that it could make nothing of it.
  let handled: IncomingMessage | undefined;
  const adapter = getRequestListener(app.fetch, {
    errorHandler: (error) => answerUnreadable(app, error, handled),
  });
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    handled = request;
    void adapter(request, response);
    handled = undefined;
  };
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      keepAlive: true, // a client whose machine has gone is noticed while an answer waits for something else
      keepAliveInitialDelay: PROBE_AFTER_MS,
      requireHostHeader: false, // Node would answer 400 without a problem
      headersTimeout: options.headersMsMax ?? HEADERS_MS_MAX,
      requestTimeout: options.requestMsMax ?? REQUEST_MS_MAX,
      connectionsCheckingInterval: Math.min(CHECK_MS, options.headersMsMax ?? CHECK_MS),
    },
    handle,
  );
  // Node would answer 417 without a problem. An expectation that is not known may be passed over (RFC 9110, 10.1.1).
  server.on('checkExpectation', handle);
  server.maxConnections = CONNECTIONS_MAX;
  // Above the usual idle time of a gateway's upstream connection: the side that sends must be the one that closes.
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await listen(server, options.port, options.host);
  return {
    port: (server.address() as AddressInfo).port,
    drain: async (deadlineMs) => {
      const closed = Promise.withResolvers<boolean>();
      server.close(() => {
        closed.resolve(true);
      });
      server.closeIdleConnections();
      const sweep = setInterval(() => {
        server.closeIdleConnections();
      }, 50);
      const timer = setTimeout(() => {
        closed.resolve(false);
        server.closeAllConnections();
      }, deadlineMs);
      const clean = await closed.promise;
      clearTimeout(timer);
      clearInterval(sweep);
      return clean;
    },
  };
};
