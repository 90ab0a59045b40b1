/** An HTTP server in front of another that counts what it is asked. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

const FORWARD_TIMEOUT_MS = 120_000;

export interface CountingProxy {
  /** Where to ask instead: the path of the target included. */
  readonly url: string;
  /** How often each was asked since the start or the last `reset`, by `METHOD /path`; the target's own path is left out. */
  readonly counts: () => ReadonlyMap<string, number>;
  readonly reset: () => void;
  readonly close: () => Promise<void>;
}

async function forward(request: IncomingMessage, target: string): Promise<Response> {
  const { method = 'GET', headers, url = '/' } = request;
  const body = await buffer(request);
  const type = headers['content-type'];
  return fetch(`${target}${url}`, {
    method,
    headers: type === undefined ? {} : { 'content-type': type },
    ...(body.length === 0 ? {} : { body: new Uint8Array(body) }),
    signal: AbortSignal.timeout(FORWARD_TIMEOUT_MS),
  });
}

/** Listens on a free port of loopback. @param target a base URL, for example of a schema registry. */
export async function countingProxy(target: string): Promise<CountingProxy> {
  const { origin, pathname } = new URL(target);
  const base = pathname === '/' ? '' : pathname;
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const asked = `${request.method ?? 'GET'} ${(request.url ?? '/').slice(base.length)}`;
    counts.set(asked, (counts.get(asked) ?? 0) + 1);
    forward(request, origin)
      .then(async (answer) => {
        const type = answer.headers.get('content-type');
        response.writeHead(answer.status, type === null ? {} : { 'content-type': type });
        response.end(new Uint8Array(await answer.arrayBuffer()));
      })
      .catch(() => response.destroy()); // as a server that went away
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // listening on TCP
  return {
    url: `http://127.0.0.1:${port}${base}`,
    counts: () => new Map(counts),
    reset: () => {
      counts.clear();
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
