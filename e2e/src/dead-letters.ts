import type { ServiceName } from '@parley/contracts/endpoints';
import {
  DeadLetterDetail,
  DeadLetters,
  DeadLettersOrderLine,
  type DeadLetter,
  type DeadLettersOrder,
} from '@parley/contracts/rest';
import { ask, type Answer } from './client.ts';
import type { StackUnderTest } from './stack.ts';
import { waitFor } from './wait.ts';

/** JSON lines; of one alone the client has made what it is. */
const linesOf = ({ body }: Answer): readonly unknown[] =>
  typeof body === 'string'
    ? body
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as unknown)
    : [body];

/** The dead letters of one service, through its operations port. */
export class ServiceLetters {
  readonly #url: string;

  constructor({ endpoints }: Pick<StackUnderTest, 'endpoints'>, service: ServiceName) {
    this.#url = `${endpoints[service].ops}/ops/dead-letters`;
  }

  async list(query = ''): Promise<readonly DeadLetter[]> {
    return DeadLetters.parse((await ask(`${this.#url}${query}`)).body).letters;
  }

  /** The first one that `wanted` answers true for. */
  find(what: string, wanted: (letter: DeadLetter) => boolean, deadlineMs: number): Promise<DeadLetter> {
    return waitFor(what, async () => (await this.list()).find(wanted), { deadlineMs });
  }

  async show(id: string): Promise<DeadLetterDetail> {
    return DeadLetterDetail.parse((await ask(`${this.#url}/${encodeURIComponent(id)}`)).body);
  }

  /** Those that wait, with their originals. */
  async export(query: string): Promise<readonly DeadLetterDetail[]> {
    return linesOf(await ask(`${this.#url}/export${query}`)).map((line) => DeadLetterDetail.parse(line));
  }

  /** Of many; no lines when it is refused. */
  async redriveMany(
    body: DeadLettersOrder,
  ): Promise<{ readonly status: number; readonly lines: readonly DeadLettersOrderLine[] }> {
    const answer = await ask(`${this.#url}/redrive`, { method: 'POST', body });
    const { status } = answer;
    return {
      status,
      lines: status === 200 ? linesOf(answer).map((line) => DeadLettersOrderLine.parse(line)) : [],
    };
  }

  /** Answers the status. */
  async redrive(id: string, body: { readonly why: string; readonly edited?: unknown }): Promise<number> {
    const url = `${this.#url}/${encodeURIComponent(id)}/redrive`;
    return (await ask(url, { method: 'POST', body })).status;
  }
}
