/**
 * Asks one thing at most once at a time. Whoever asks while an answer is under way gets the next one, together with all
 * others that wait: it begins after they asked, so it is never older than their question.
 */
export class SharedAsk<T> {
  readonly #run: () => Promise<T>;
  #underWay: Promise<T> | undefined;
  #next: Promise<T> | undefined;

  constructor(run: () => Promise<T>) {
    this.#run = run;
  }

  /** An answer that began after this call. Rejects as the run does. */
  ask(): Promise<T> {
    if (this.#underWay === undefined) return this.#start();
    const start = (): Promise<T> => {
      this.#next = undefined;
      return this.#underWay ?? this.#start();
    };
    this.#next ??= this.#underWay.then(start, start);
    return this.#next;
  }

  /** The answer that is under way, or one that begins now. */
  join(): Promise<T> {
    return this.#underWay ?? this.#start();
  }

  #start(): Promise<T> {
    const underWay = this.#run().finally(() => {
      this.#underWay = undefined;
    });
    this.#underWay = underWay;
    return underWay;
  }
}
