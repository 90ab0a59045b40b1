import { connect } from 'node:net';

const timeoutMs = 2000;

/** Whether a GET is answered with 200 within two seconds. Never rejects. */
export const answersOk = async (
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<boolean> => {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(timeoutMs) });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    return false;
  }
};

/** Metadata request, version 1, correlation id 0, no client id, for no topic. */
const metadataRequest = Buffer.from('0000000e' + '0003' + '0001' + '00000000' + 'ffff' + '00000000', 'hex');
const brokerCountOffset = 8; // after size and correlation id

/**
 * Whether Kafka names at least one live broker. An open port is too early: the broker listens before the controller lets
 * it serve, and a broker that is still fenced is not in the list.
 */
export const namesABroker = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let received = Buffer.alloc(0);
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => {
      end(false);
    });
    socket.on('error', () => {
      end(false);
    });
    socket.on('close', () => {
      end(false);
    });
    socket.on('connect', () => socket.write(metadataRequest));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= brokerCountOffset + 4) end(received.readInt32BE(brokerCountOffset) > 0);
    });
  });
