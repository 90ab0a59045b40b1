/** The way between one log and the broker in memory, which can be held up in either direction. */
export class MemoryLink {
  #held: 'requests' | 'answers' | undefined;
  #waiting: (() => void)[] = [];

  /** Requests that come from now on are not written, or their answers (and all that is read) do not arrive. */
  hold(what: 'requests' | 'answers'): void {
    this.#held = what;
  }

  release(): void {
    this.#held = undefined;
    for (const go of this.#waiting.splice(0)) go();
  }

  request(): Promise<void> {
    return this.#held === 'requests' ? this.#wait() : Promise.resolve();
  }

  answer(): Promise<void> {
    return this.#held === undefined ? Promise.resolve() : this.#wait();
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
