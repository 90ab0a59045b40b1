import { useEffect, useState } from 'react';

/** What a poll last came to. `value` stays while later questions fail, with the error beside it. */
export interface Polled<T> {
  readonly value: T | undefined;
  readonly error: string | undefined;
}

const TIMEOUT_MS = 10_000;

const errorOf = async (response: Response): Promise<string> => {
  try {
    const body: unknown = await response.json();
    if (typeof body === 'object' && body !== null && 'error' in body) return String(body.error);
  } catch {
    // not JSON: the status has to do
  }
  return `HTTP ${response.status}`;
};

/** Asks the console's server. @throws Error with what it says. */
export const ask = async <T>(path: string, init: RequestInit = {}): Promise<T> => {
  const response = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), ...init });
  if (!response.ok) throw new Error(await errorOf(response));
  return (await response.json()) as T; // the console's own server, of the same build
};

/** Asks again and again while the tab is seen; the pause is between an answer and the next question. */
export const usePolled = <T>(question: () => Promise<T>, intervalMs: number, key: string): Polled<T> => {
  const [polled, setPolled] = useState<Polled<T>>({ value: undefined, error: undefined });
  useEffect(() => {
    let isOver = false;
    let timer: number | undefined;
    const look = async (): Promise<void> => {
      if (!document.hidden) {
        try {
          const value = await question();
          if (!isOver) setPolled({ value, error: undefined });
        } catch (error) {
          const message = error instanceof Error ? error.message : String(error);
          if (!isOver) setPolled(({ value }) => ({ value, error: message }));
        }
      }
      if (!isOver) timer = window.setTimeout(() => void look(), intervalMs);
    };
    void look();
    return () => {
      isOver = true;
      window.clearTimeout(timer);
    };
    // The key says when it is another question; the function is a new one at each rendering.
  }, [key, intervalMs]);
  return polled;
};
