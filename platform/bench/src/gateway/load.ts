/** A client that costs next to nothing, so that what is measured is the gateway: requests are bytes, answers are cut by their length. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const ANSWER_DEADLINE_MS = 10_000;
const HEAD_END = '\r\n\r\n';

/** Where to ask, and the requests, one after another, as they are sent. */
export interface Load {
  readonly port: number;
  readonly requests: readonly Buffer[];
  readonly calls: number;
  /** How many connections, each with one request on its way. */
  readonly clients: number;
}

/** A GET with these headers, as it is sent. */
export const getRequest = (path: string, headers: Readonly<Record<string, string>>): Buffer =>
  Buffer.from(
    [
      `GET ${path} HTTP/1.1`,
      'host: bench',
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ]
      .join('\r\n')
      .concat(HEAD_END),
  );

/** Resolves when a whole 200 has come. */
const answer = (socket: Socket): Promise<void> =>
  new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const settle = (outcome: () => void): void => {
      socket.off('data', take).off('error', fail).off('close', gone).off('timeout', late);
      outcome();
    };
    const fail = (error: Error): void => {
      settle(() => {
        reject(error);
      });
    };
    const gone = (): void => {
      fail(new Error('the connection was closed before the answer'));
    };
    const late = (): void => {
      fail(new Error(`no answer in ${ANSWER_DEADLINE_MS} ms`));
    };
    const take = (chunk: Buffer): void => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const headEnd = received.indexOf(HEAD_END);
      if (headEnd < 0) return;
      const head = received.toString('latin1', 0, headEnd);
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
      if (!head.startsWith('HTTP/1.1 200 ') || Number.isNaN(length)) {
        fail(
          new Error(`answered with ${head.slice(0, head.indexOf('\r\n'))}: ${received.toString('latin1')}`),
        );
      } else if (received.length >= headEnd + HEAD_END.length + length) settle(resolve);
    };
    socket.on('data', take).on('error', fail).on('close', gone).on('timeout', late);
  });

/** Asks so often and answers how long each took, in milliseconds. @throws Error on the first answer that is no 200 */
export const load = async ({ port, requests, calls, clients }: Load): Promise<readonly number[]> => {
  const latenciesMs: number[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.setTimeout(ANSWER_DEADLINE_MS);
    await once(socket, 'connect');
    try {
      while (next < calls) {
        const request = requests[next++ % requests.length];
        if (request === undefined) throw new RangeError('no requests');
        const sentAt = performance.now();
        const answered = answer(socket);
        socket.write(request);
        await answered;
        latenciesMs.push(performance.now() - sentAt);
      }
    } finally {
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return latenciesMs;
};
