import { setTimeout as delay } from 'node:timers/promises';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import type { Logger } from '../logging.ts';

/** The lines of an answer. The signal aborts once its client has gone or the process stops: the one at hand may be ended. */
export type JsonLines = (signal: AbortSignal) => AsyncIterable<object>;

/** A client that takes no line for so long is cut. A pager may be left open for a while. */
const STALL_MS_MAX = 600_000;
/** The same once the process stops, whose deadline is not to be used up by it. */
const STOPPING_STALL_MS_MAX = 500;

/** Answers that take as long as they take, as JSON, one object a line, each sent before the next one is asked for. */
export class LineAnswers {
  readonly #stopping: AbortSignal;
  readonly #logger: Logger;
  readonly #stallMsMax: number;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: {
    readonly stopping: AbortSignal;
    readonly logger: Logger;
    /** Default 10 min. */
    readonly stallMsMax?: number;
  }) {
    this.#stopping = options.stopping;
    this.#logger = options.logger;
    this.#stallMsMax = options.stallMsMax ?? STALL_MS_MAX;
  }

  /** An answer whose lines fail is cut, so that nobody takes it for a whole one; with the reason of a stop, that is no error. */
  answer(c: Context, lines: JsonLines): Response {
    const headers = { 'content-type': 'application/x-ndjson' };
    if (c.req.method === 'HEAD') return c.body(null, 200, headers);
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const sent = this.#send(c, lines, writable.getWriter());
    this.#underWay.add(sent);
    void sent.finally(() => this.#underWay.delete(sent));
    return c.body(readable, 200, headers);
  }

  /** Resolves when none is under way, false when one still was at the deadline. */
  async ended(deadlineMs: number): Promise<boolean> {
    const all = Promise.all(this.#underWay).then(() => true);
    return Promise.race([all, delay(deadlineMs, false, { ref: false })]);
  }

  /** Never rejects. */
  async #send(c: Context, lines: JsonLines, writer: WritableStreamDefaultWriter<Uint8Array>): Promise<void> {
    const gone = new AbortController();
    writer.closed.catch(() => {
      gone.abort(new Error('the client has gone'));
    });
    const cut = (): void => {
      (c.env as HttpBindings).outgoing.destroy(); // the stream's error would be the end of an answer that looks whole
    };
    try {
      for await (const line of lines(AbortSignal.any([gone.signal, this.#stopping]))) {
        await this.#orStalled(writer.write(Buffer.from(`${JSON.stringify(line)}\n`)), cut);
      }
      await writer.close();
    } catch (error) {
      if (gone.signal.aborted) return;
      if (error !== this.#stopping.reason)
        this.#logger.error({ err: error }, 'an answer of lines failed and was cut');
      cut();
    }
  }

  async #orStalled(written: Promise<void>, cut: () => void): Promise<void> {
    const timers = [setTimeout(cut, this.#stallMsMax)];
    const hurry = (): void => {
      timers.push(setTimeout(cut, STOPPING_STALL_MS_MAX));
    };
    if (this.#stopping.aborted) hurry();
    this.#stopping.addEventListener('abort', hurry);
    try {
      await written;
    } finally {
      this.#stopping.removeEventListener('abort', hurry);
      timers.forEach(clearTimeout);
    }
  }
}
