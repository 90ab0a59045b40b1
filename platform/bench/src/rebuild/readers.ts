/** Reads at a fixed rate until told to stop, whatever becomes of the ones before. */
import { setTimeout as pause } from 'node:timers/promises';

const READ_EVERY_MS = 20;
/** So many reads under way are 20 seconds without an answer: it is said, instead of piling up more. */
const UNDER_WAY_MAX = 1000;
const REQUEST_TIMEOUT_MS = 30_000;

export class Readers {
  /** Of every read that was answered with 200, from when it was due until it was read to its end. */
  readonly latenciesMs: number[] = [];
  readonly #request: (turn: number) => Request;
  readonly #stopped = new AbortController();
  readonly #loop: Promise<void>;
  #failure: Error | undefined;

  /** Begins at once, 50 a second. */
  constructor(request: (turn: number) => Request) {
    this.#request = request;
    this.#loop = this.#run();
  }

  /** Waits for the reads that are under way. Rejects with the first read that failed. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #run(): Promise<void> {
    const beginsAtMs = performance.now();
    const underWay = new Set<Promise<void>>();
    for (let turn = 0; !this.#stopped.signal.aborted && this.#failure === undefined; turn++) {
      const dueAtMs = beginsAtMs + turn * READ_EVERY_MS;
      const earlyMs = dueAtMs - performance.now();
      if (earlyMs > 0) await pause(earlyMs);
      if (underWay.size >= UNDER_WAY_MAX)
        this.#failure ??= new Error(`${UNDER_WAY_MAX} reads wait for an answer`);
      const read = this.#read(turn, dueAtMs).catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error));
      });
      underWay.add(read);
      void read.finally(() => underWay.delete(read));
    }
    await Promise.all(underWay);
  }

  async #read(turn: number, dueAtMs: number): Promise<void> {
    const answer = await fetch(this.#request(turn), { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    const body = await answer.text();
    if (answer.status !== 200) throw new Error(`a read was answered with ${answer.status}: ${body}`);
    this.latenciesMs.push(performance.now() - Math.min(dueAtMs, performance.now()));
  }
}
