import type { ServiceName } from '@parley/contracts/endpoints';
import { DeadLetterDetail, DeadLetters, type DeadLetter } from '@parley/contracts/rest';
import { ask } from './client.ts';
import type { StackUnderTest } from './stack.ts';
import { waitFor } from './wait.ts';

/** The dead letters of one service, through its operations port. */
export class ServiceLetters {
  readonly #url: string;

  constructor({ endpoints }: Pick<StackUnderTest, 'endpoints'>, service: ServiceName) {
    this.#url = `${endpoints[service].ops}/ops/dead-letters`;
  }

  async list(): Promise<readonly DeadLetter[]> {
    return DeadLetters.parse((await ask(this.#url)).body).letters;
  }

  /** The first one that `wanted` answers true for. */
  find(what: string, wanted: (letter: DeadLetter) => boolean, deadlineMs: number): Promise<DeadLetter> {
    return waitFor(what, async () => (await this.list()).find(wanted), { deadlineMs });
  }

  async show(id: string): Promise<DeadLetterDetail> {
    return DeadLetterDetail.parse((await ask(`${this.#url}/${encodeURIComponent(id)}`)).body);
  }

  /** Answers the status. */
  async redrive(id: string, body: { readonly why: string; readonly edited?: unknown }): Promise<number> {
    const url = `${this.#url}/${encodeURIComponent(id)}/redrive`;
    return (await ask(url, { method: 'POST', body })).status;
  }
}
