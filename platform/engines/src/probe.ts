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
const brokersOffset = 8; // after size and correlation id

/** The ports of the brokers that an answer names: an array of id, host, port and rack. Throws a RangeError on half an answer. */
const portsIn = (answer: Buffer): number[] => {
  const ports: number[] = [];
  let at = brokersOffset + 4;
  for (let left = answer.readInt32BE(brokersOffset); left > 0; left--) {
    at += 4;
    at += 2 + answer.readInt16BE(at);
    ports.push(answer.readInt32BE(at));
    at += 4;
    at += 2 + Math.max(0, answer.readInt16BE(at)); // -1 for none
  }
  return ports;
};

/**
 * Whether the Kafka broker at a port names itself among the live ones. An open port is too early: the broker listens before
 * the controller lets it serve, and a broker that is still fenced is not in the list.
 */
export const namesItself = (port: number): Promise<boolean> =>
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
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      try {
        end(portsIn(received).includes(port));
      } catch {
        end(false); // whatever answers there is no Kafka
      }
    });
  });
