import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** Class and method of channel.close, as they stand in its frame. */
const CHANNEL_CLOSE = Buffer.from([0, 20, 0, 40]);

/** A broker behind a proxy that can be silent, as a frozen one, and then be cut off, as a killed one. */
export interface Cuttable {
  readonly url: string;
  /** From now on no answer of the broker arrives. */
  silence(): void;
  /** The connections that are opened from now on are answered again. */
  speak(): void;
  /** Whether a channel was to be closed since then. */
  isAskedToClose(): boolean;
  /** Ends every connection; those that are opened then are answered. */
  cut(): void;
  close(): void;
}

export const openCuttable = async (url: string): Promise<Cuttable> => {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let isSilent = false;
  let askedToClose = false;
  const server = createServer((client) => {
    const broker = connect(Number(port), hostname);
    client.on('data', (data) => {
      askedToClose ||= isSilent && data.includes(CHANNEL_CLOSE);
      broker.write(data);
    });
    broker.on('data', (data) => {
      if (!isSilent) client.write(data);
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
  const speak = (): void => {
    isSilent = false;
  };
  const cut = (): void => {
    speak();
    for (const socket of sockets) socket.destroy();
  };
  const address = server.address() as AddressInfo;
  return {
    url: url.replace(`:${port}`, `:${String(address.port)}`),
    silence: () => {
      isSilent = true;
    },
    speak,
    isAskedToClose: () => askedToClose,
    cut,
    close: () => {
      cut();
      server.close();
    },
  };
};
