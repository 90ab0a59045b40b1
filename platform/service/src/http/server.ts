import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';

/** A listening HTTP server. */
export interface HttpServer {
  readonly port: number;
  /** Stops accepting, lets requests under way finish, then cuts what is left at the deadline. True when nothing was cut. */
  drain(deadlineMs: number): Promise<boolean>;
}

const KEEP_ALIVE_MS = 65_000;

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
  options: { readonly port: number; readonly host: string },
): Promise<HttpServer> => {
  const handle = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer((request, response) => void handle(request, response));
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
