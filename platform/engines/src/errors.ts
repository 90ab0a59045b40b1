/** The machine lacks something that Parley may not or cannot install; `fix` is the one command to type. Callers exit 3. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
  readonly fix: string;
  constructor(message: string, fix: string, options?: ErrorOptions) {
    super(`${message}. Type: ${fix}`, options);
    this.fix = fix;
  }
}

/** An engine ended or stayed silent past its deadline; the message carries the last lines of its log. Retrying is safe. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}

/** What was downloaded is not what the lock files of this package name. Nothing of it was kept. */
export class IntegrityError extends Error {
  override readonly name = 'IntegrityError';
}
