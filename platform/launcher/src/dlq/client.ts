import { serviceNames, type Endpoints, type ServiceName } from '@parley/contracts/endpoints';
import { DeadLetterDetail, DeadLetters, type DeadLetter } from '@parley/contracts/rest';
import { CommandError, exitCodes, messageOf } from '../cli/exit.ts';

/** A queue may hold 10,000 letters, and a broker be busy. */
const timeoutMs = 60_000;

const AGAIN = 'what was done so far stays done: try again';

/** A dead letter and the service that tells of it. */
export interface FoundLetter extends DeadLetter {
  readonly service: ServiceName;
}

/** What a service answered to an order. */
export type OrderAnswer =
  { readonly kind: 'done' } | { readonly kind: 'gone' | 'refused'; readonly why: string };

/** The dead letters of every service of a stack, whichever broker they lie on, through the operations ports. */
export class LetterClient {
  readonly #endpoints: Endpoints;

  constructor(endpoints: Endpoints) {
    this.#endpoints = endpoints;
  }

  /** Oldest first. A service without dead letters has none. @throws CommandError when one does not answer */
  async list(): Promise<readonly FoundLetter[]> {
    const lists = await Promise.all(
      serviceNames.map(async (service) => {
        const answer = await this.#ask(service, '');
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

  /** Asks for one to be handled again, or settles it without that. */
  async order(
    what: 'redrive' | 'discard',
    { service, id }: Pick<FoundLetter, 'service' | 'id'>,
    body: { readonly why: string; readonly edited?: unknown },
  ): Promise<OrderAnswer> {
    const answer = await this.#ask(service, `/${encodeURIComponent(id)}/${what}`, body);
    if (answer.ok) return { kind: 'done' };
    if (answer.status === 404) return { kind: 'gone', why: 'it is settled already' };
    if (answer.status !== 409 && answer.status !== 400) throw await unexpected(service, answer);
    const { detail } = (await answer.json()) as { readonly detail?: string }; // a problem
    return { kind: 'refused', why: detail ?? String(answer.status) };
  }

  async #ask(service: ServiceName, path: string, body?: object): Promise<Response> {
    const url = `${this.#endpoints[service].ops}/ops/dead-letters${path}`;
    try {
      return await fetch(url, {
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined
          ? {}
          : {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify(body),
            }),
      });
    } catch (error) {
      throw new CommandError(
        exitCodes.environment,
        `${service} does not answer at ${url} (${messageOf(error)}); ${AGAIN}`,
      );
    }
  }
}

const unexpected = async (service: ServiceName, answer: Response): Promise<CommandError> =>
  new CommandError(
    exitCodes.environment,
    `${service} answered ${String(answer.status)}: ${(await answer.text()).slice(0, 300)}; ${AGAIN}`,
  );
