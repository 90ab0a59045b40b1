/** A broker whose group coordinator is not there for a moment, as while the broker starts: every answer but two is its own. */
import { Buffer } from 'node:buffer';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const JOIN_GROUP = 11;
const HEARTBEAT = 12;
const NOT_COORDINATOR = 16;
const SIZE_BYTES = 4;

/** Cuts what Kafka's protocol sends into its messages, each behind its size. */
const framed = (onFrame: (frame: Buffer) => void): ((bytes: Buffer) => void) => {
  let kept: Buffer = Buffer.alloc(0);
  return (bytes) => {
    kept = Buffer.concat([kept, bytes]);
    while (kept.length >= SIZE_BYTES && kept.length >= SIZE_BYTES + kept.readInt32BE(0)) {
      const end = SIZE_BYTES + kept.readInt32BE(0);
      onFrame(kept.subarray(0, end));
      kept = kept.subarray(end);
    }
  };
};

export class CoordinatorProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #next: 'refuse a heartbeat' | 'cut a join' | undefined;

  private constructor(target: number) {
    this.#server = createServer((client) => {
      const broker = connect(target, '127.0.0.1');
      const refused = new Set<number>();
      const cut = (): void => {
        for (const socket of [client, broker]) {
          socket.destroy();
          this.#sockets.delete(socket);
        }
      };
      for (const socket of [client, broker]) {
        this.#sockets.add(socket);
        socket.on('error', cut).on('close', cut);
      }
      client.on(
        'data',
        framed((frame) => {
          const kind = frame.readInt16BE(SIZE_BYTES);
          if (kind === JOIN_GROUP && this.#next === 'cut a join') {
            this.#next = undefined;
            cut();
            return;
          }
          if (kind === HEARTBEAT && this.#next === 'refuse a heartbeat') {
            this.#next = 'cut a join';
            refused.add(frame.readInt32BE(SIZE_BYTES + 4)); // its number, behind the kind and the version
          }
          broker.write(frame);
        }),
      );
      broker.on(
        'data',
        framed((frame) => {
          const answer = Buffer.from(frame);
          // The error code ends the answer to a heartbeat.
          if (refused.delete(answer.readInt32BE(SIZE_BYTES)))
            answer.writeInt16BE(NOT_COORDINATOR, answer.length - 2);
          client.write(answer);
        }),
      );
    });
  }

  static async to(target: number): Promise<CoordinatorProxy> {
    const proxy = new CoordinatorProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port; // listening on TCP
  }

  /** The next heartbeat is told that another broker coordinates its group, and the join that follows is cut. */
  failOnce(): void {
    this.#next = 'refuse a heartbeat';
  }

  get hasFailed(): boolean {
    return this.#next === undefined;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
