import { messageOf } from './errors.ts';

/** What one part of a service says about itself. */
export interface CheckResult {
  readonly ready: boolean;
  /** One sentence: what is awaited. */
  readonly detail?: string | undefined;
}

/** Everything that must be well before traffic may come. */
export class Readiness {
  readonly #checks = new Map<string, () => CheckResult>();

  /** Adds a check; it must answer at once. A check that throws is not ready. */
  add(name: string, check: () => CheckResult): void {
    if (this.#checks.has(name)) throw new Error(`there is already a readiness check called ${name}`);
    this.#checks.set(name, check);
  }

  /** Asks every check. */
  report(): { readonly ready: boolean; readonly checks: Readonly<Record<string, CheckResult>> } {
    const checks = Object.fromEntries(
      [...this.#checks].map(([name, check]) => [name, Readiness.#ask(check)]),
    );
    return { ready: Object.values(checks).every((check) => check.ready), checks };
  }

  static #ask(check: () => CheckResult): CheckResult {
    try {
      return check();
    } catch (error) {
      return { ready: false, detail: messageOf(error) };
    }
  }
}
