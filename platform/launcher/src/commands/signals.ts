import { CommandError, exitCodes } from '../cli/exit.ts';

/** A signal that is aborted by the first SIGINT, SIGTERM or SIGHUP; `asked` is then called once. */
export const abortOnSignals = (asked: () => void = () => undefined): AbortSignal => {
  const abort = new AbortController();
  const stop = (): void => {
    if (abort.signal.aborted) return; // Ctrl-C reaches us from the terminal and again from npm
    asked();
    abort.abort(new CommandError(exitCodes.failed, 'stopped by a signal'));
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  return abort.signal;
};
