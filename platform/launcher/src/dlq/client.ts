import { setTimeout as delay } from 'node:timers/promises';
import { serviceNames, type Endpoints, type ServiceName } from '@parley/contracts/endpoints';
import {
  DeadLetterDetail,
  DeadLetters,
  DeadLettersOrderLine,
  type DeadLetter,
  type DeadLetterResult,
  type DeadLettersExportQuery,
  type DeadLettersOrder,
  type DeadLettersQuery,
} from '@parley/contracts/rest';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';

/** Without an answer, or without a further line of one. A queue may hold 10,000 letters, and a broker be busy. */
const silenceMsMax = 60_000;

/** How long an order of many waits for the one before it: when that was just ended, for its letter at hand. */
const busyMsMax = 10_000;
const busyPollMs = 250;

/** A dead letter and the service that tells of it. */
export interface FoundLetter extends DeadLetter {
  readonly service: ServiceName;
}

/** Which letters; absent: whatever it is. */
export type LetterQuery = DeadLettersQuery & { readonly service?: string | undefined };

export type OrderAction = 'redrive' | 'discard';

/** The dead letters of every service of a stack, whichever broker they lie on, through the operations ports. */
export class LetterClient {
  readonly #endpoints: Endpoints;
  readonly #busyMsMax: number;

  /** @param options.busyMsMax default 10 s */
  constructor(endpoints: Endpoints, options: { readonly busyMsMax?: number } = {}) {
    this.#endpoints = endpoints;
    this.#busyMsMax = options.busyMsMax ?? busyMsMax;
  }

  /** Oldest first. A service without dead letters has none. @throws CommandError when one does not answer */
  async list({ service: wanted, ...query }: LetterQuery = {}): Promise<readonly FoundLetter[]> {
    const lists = await Promise.all(
      serviceNames
        .filter((service) => wanted === undefined || service === wanted)
        .map(async (service) => {
          const answer = await this.#ask(service, queryOf(query));
          if (answer.status === 404) return [];
          if (!answer.ok) throw await unexpected(service, answer);
          const { letters } = DeadLetters.parse(await answer.json());
          return letters.map((letter) => ({ ...letter, service }));
        }),
    );
    return lists.flat().toSorted((a, b) => (a.sinceMs ?? 0) - (b.sinceMs ?? 0));
  }

  /** Undefined when it is settled meanwhile. */
  async show({ service, id }: Pick<FoundLetter, 'service' | 'id'>): Promise<DeadLetterDetail | undefined> {
    const answer = await this.#ask(service, `/${encodeURIComponent(id)}`);
    if (answer.status === 404) return undefined;
    if (!answer.ok) throw await unexpected(service, answer);
    return DeadLetterDetail.parse(await answer.json());
  }

  /** Those of a service that wait. */
  async *export(service: ServiceName, query: DeadLettersExportQuery): AsyncGenerator<DeadLetterDetail> {
    for await (const line of this.#lines(service, `/export${queryOf(query)}`))
      yield DeadLetterDetail.parse(line);
  }

  /** Asks for one to be handled again, or settles it without that. */
  async order(
    action: OrderAction,
    { service, id }: Pick<FoundLetter, 'service' | 'id'>,
    body: { readonly why: string; readonly edited?: unknown },
  ): Promise<DeadLetterResult> {
    const answer = await this.#ask(service, `/${encodeURIComponent(id)}/${action}`, { body });
    if (answer.ok) return { id, result: 'done' };
    if (answer.status === 404)
      return { id, result: 'gone', why: 'it is settled, or another process looks at it' };
    if (!isRefusal(answer)) throw await unexpected(service, answer);
    return { id, result: 'refused', why: await refusalOf(answer) };
  }

  /**
   * Of those of a service that wait: what becomes of each, as it does, and last how many are left.
   * @throws CommandError when it ends before that
   */
  async *orderMany(
    action: OrderAction,
    service: ServiceName,
    body: DeadLettersOrder,
  ): AsyncGenerator<DeadLettersOrderLine> {
    let isWhole = false;
    for await (const json of this.#lines(service, `/${action}`, body)) {
      const line = DeadLettersOrderLine.parse(json);
      if ('stopped' in line && line.stopped !== undefined)
        throw failed(`${service} has ended the order: ${line.stopped}`);
      isWhole = 'left' in line;
      yield line;
    }
    if (!isWhole) throw failed(`${service} ended its answer in the middle`);
  }

  /** The lines of an answer as they come. */
  async *#lines(service: ServiceName, path: string, body?: object): AsyncGenerator {
    const request = new AbortController();
    try {
      const ask = () => heard(request, this.#ask(service, path, { body, signal: request.signal }));
      const endMs = performance.now() + this.#busyMsMax;
      let answer = await ask();
      while (answer.status === 409 && performance.now() < endMs) {
        await answer.body?.cancel();
        await delay(busyPollMs);
        answer = await ask();
      }
      if (answer.status === 409) throw failed(`${service}: ${await refusalOf(answer)}`);
      if (isRefusal(answer))
        throw new CommandError(exitCodes.failed, `${service}: ${await refusalOf(answer)}`);
      if (!answer.ok) throw await unexpected(service, answer);
      if (answer.body === null) return;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ''; ;) {
        const chunk = await heard(request, reader.read()).catch((error: unknown) => {
          throw failed(`${service} ended its answer in the middle (${messageOf(error)})`);
        });
        if (chunk.value === undefined) return;
        const lines = `${rest}${chunk.value}`.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) yield JSON.parse(line) as unknown;
      }
    } finally {
      request.abort(); // an order ends there when nobody reads on
    }
  }

  async #ask(
    service: ServiceName,
    path: string,
    { body, signal }: { readonly body?: object | undefined; readonly signal?: AbortSignal } = {},
  ): Promise<Response> {
    const url = `${this.#endpoints[service].ops}/ops/dead-letters${path}`;
    try {
      return await fetch(url, {
        signal: signal ?? AbortSignal.timeout(silenceMsMax),
        ...(body === undefined
          ? {}
          : {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify(body),
            }),
      });
    } catch (error) {
      throw failed(`${service} does not answer at ${url} (${messageOf(error)})`);
    }
  }
}

/** What is awaited of a request, which ends when it does not come in time. */
const heard = async <T>(request: AbortController, awaited: Promise<T>): Promise<T> => {
  const silent = setTimeout(() => {
    request.abort(new Error(`no sign of life for ${String(silenceMsMax / 1000)} s`));
  }, silenceMsMax);
  return awaited.finally(() => {
    clearTimeout(silent);
  });
};

const queryOf = (query: Readonly<Record<string, string | number | undefined>>): string => {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, String(value));
  return `?${given.toString()}`;
};

const isRefusal = ({ status }: Response): boolean => status === 400 || status === 409;

const refusalOf = async (answer: Response): Promise<string> => {
  const { detail } = (await answer.json()) as { readonly detail?: string }; // a problem
  return detail ?? String(answer.status);
};

const failed = (what: string): CommandError =>
  new CommandError(exitCodes.environment, `${what}; what was done so far stays done: try again`);

const unexpected = async (service: ServiceName, answer: Response): Promise<CommandError> =>
  failed(`${service} answered ${String(answer.status)}: ${(await answer.text()).slice(0, 300)}`);
