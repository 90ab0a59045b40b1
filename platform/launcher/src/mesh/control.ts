import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { messageOf } from '../cli/exit.ts';

/** What the hub can be told. */
export interface ControlActions {
  readonly status: () => Promise<object>;
  /** In Prometheus' text format; undefined when there is no such sidecar. */
  readonly metrics: (node: string) => Promise<string | undefined>;
  readonly stopSidecars: () => Promise<void>;
  readonly startSidecars: () => Promise<void>;
}

/** Whether a request comes from a page in a browser, or by a name that somebody else chose: neither may steer the mesh. */
const isForeign = ({ headers }: IncomingMessage): boolean =>
  headers.origin !== undefined ||
  headers['sec-fetch-site'] !== undefined ||
  !/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(headers.host ?? '');

/** Listens on the hub's loopback address: `GET /status`, `GET /nodes/<name>/metrics`, `POST /sidecars/stop`, `POST /sidecars/start`. */
export const listenForControl = async (port: number, actions: ControlActions): Promise<Server> => {
  const done = (action: () => Promise<void>) => async (): Promise<object> => {
    await action();
    return { done: true };
  };
  const routes: Readonly<Record<string, () => Promise<object>>> = {
    'GET /status': actions.status,
    'POST /sidecars/stop': done(actions.stopSidecars),
    'POST /sidecars/start': done(actions.startSidecars),
  };
  const server = createServer((request, response) => {
    if (isForeign(request)) {
      response.writeHead(403).end();
      return;
    }
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const failed = (error: unknown): void => {
      answer(500, { error: messageOf(error) });
    };
    const node = /^\/nodes\/([a-z0-9-]+)\/metrics$/.exec(request.url ?? '')?.[1];
    if (node !== undefined && request.method === 'GET') {
      actions.metrics(node).then((text) => {
        response.writeHead(text === undefined ? 404 : 200, { 'content-type': 'text/plain' }).end(text);
      }, failed);
      return;
    }
    const action = routes[`${request.method ?? ''} ${request.url ?? ''}`];
    if (action === undefined) {
      answer(404, { error: 'no such action' });
      return;
    }
    action().then((body) => {
      answer(200, body);
    }, failed);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
};
