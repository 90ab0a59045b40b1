import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Class and method of channel.close, as they stand in its frame. */
const CHANNEL_CLOSE = Buffer.from([0, 20, 0, 40]);

/** A broker behind a proxy that can be silent, as a frozen one, and then be cut off, as a killed one. */
export interface Cuttable {
  readonly url: string;
  /** No answer of the broker arrives any more on the connections that are open; those that are opened then are answered. */
  silence(): void;
  /** Whether a channel was to be closed since then. */
  isAskedToClose(): boolean;
  /** Ends every connection. */
  cut(): void;
  close(): void;
}

export const openCuttable = async (url: string): Promise<Cuttable> => {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const open = new Set<{ isSilent: boolean }>();
  let askedToClose = false;
  const server = createServer((client) => {
    const broker = connect(Number(port), hostname);
    const connection = { isSilent: false };
    open.add(connection);
    client.on('close', () => open.delete(connection));
    client.on('data', (data) => {
      askedToClose ||= connection.isSilent && data.includes(CHANNEL_CLOSE);
      broker.write(data);
    });
    broker.on('data', (data) => {
      if (!connection.isSilent) client.write(data);
    });
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined); // it is cut
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const address = server.address() as AddressInfo;
  return {
    url: url.replace(`:${port}`, `:${String(address.port)}`),
    silence: () => {
      askedToClose = false;
      for (const connection of open) connection.isSilent = true;
    },
    isAskedToClose: () => askedToClose,
    cut,
    close: () => {
      cut();
      server.close();
    },
  };
};
