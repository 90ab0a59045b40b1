import { describe, expect, it, vi } from 'vitest';
import { runInContext } from './context.ts';
import { createPolicy, type Policy } from './policy.ts';

describe('a policy', () => {
  it('retries up to its number of attempts', async () => {
    const policy = createPolicy({
      name: 'p',
      timeoutMs: 100,
      retry: { attempts: 2, initialDelayMs: 1, maxDelayMs: 2 },
    });
    let calls = 0;
    const failing = policy.execute(() => Promise.reject(new Error(`attempt ${++calls}`)));
    await expect(failing).rejects.toThrow('attempt 3');
  });

  it('opens its breaker after failures in a row and refuses at once', async () => {
    const policy = createPolicy({
      name: 'p',
      timeoutMs: 100,
      breaker: { consecutiveFailures: 2, halfOpenAfterMs: 60_000 },
    });
    const fail = (): Promise<never> => policy.execute(() => Promise.reject(new Error('down')));
    await expect(fail()).rejects.toThrow('down');
    await expect(fail()).rejects.toThrow('down');
    expect(policy.breakerState()).toBe('open');
    await expect(fail()).rejects.toMatchObject({ reason: 'breaker-open' });
  });

  const never = (): Promise<never> => new Promise(() => undefined);
  const opened = async (timeoutMs = 100) => {
    const breaker = { consecutiveFailures: 1, halfOpenAfterMs: 10 };
    const policy = createPolicy({ name: 'p', timeoutMs, breaker });
    await expect(policy.execute(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
    return policy;
  };
  const probing = async (policy: Policy, probe: () => Promise<unknown>, signal?: AbortSignal) => {
    const started = Promise.withResolvers<undefined>();
    let outcome: Promise<unknown> = Promise.resolve();
    await vi.waitFor(async () => {
      outcome = policy.execute(() => {
        started.resolve(undefined);
        return probe();
      }, signal);
      outcome.catch(() => undefined); // asserted by the caller
      await Promise.race([started.promise, outcome]);
    });
    return { outcome };
  };

  it('refuses everyone else at once while its probe is under way, and closes when the probe succeeds', async () => {
    const policy = await opened(5_000);
    const release = Promise.withResolvers<string>();
    const { outcome } = await probing(policy, () => release.promise);
    expect(policy.breakerState()).toBe('half-open');
    await expect(policy.execute(never)).rejects.toMatchObject({ reason: 'breaker-open' });
    release.resolve('well');
    expect(await outcome).toBe('well');
    expect(policy.breakerState()).toBe('closed');
  });

  it('is not closed by a probe whose caller gave up', async () => {
    const policy = await opened(5_000);
    const caller = new AbortController();
    const { outcome } = await probing(policy, never, caller.signal);
    caller.abort();
    await expect(outcome).rejects.toMatchObject({ reason: 'timeout' });
    expect(policy.breakerState()).toBe('open');
  });

  it('does not hold against a peer that its caller ran out of time', async () => {
    const breaker = { consecutiveFailures: 1, halfOpenAfterMs: 60_000 };
    const retry = { attempts: 2, initialDelayMs: 1, maxDelayMs: 2 };
    const policy = createPolicy({ name: 'p', timeoutMs: 5_000, breaker, retry });
    let calls = 0;
    const call = (deadlineAtMs: number) =>
      runInContext({ deadlineAtMs }, () =>
        policy.execute((signal) => {
          calls += 1;
          return new Promise((_resolve, reject) => {
            const left = AbortSignal.any([
              signal,
              AbortSignal.timeout(Math.max(0, deadlineAtMs - Date.now())),
            ]);
            left.addEventListener('abort', () => {
              reject(new Error('no answer in what was left'));
            });
          });
        }),
      );
    await expect(call(Date.now() + 300)).rejects.toMatchObject({ reason: 'timeout' });
    await expect(call(Date.now() - 1)).rejects.toMatchObject({ reason: 'timeout' });
    expect(calls).toBe(1);
    expect(policy.breakerState()).toBe('closed');
  });

  it('ends an attempt at its timeout', async () => {
    const policy = createPolicy({ name: 'p', timeoutMs: 20 });
    await expect(policy.execute(() => new Promise(() => undefined))).rejects.toMatchObject({
      reason: 'timeout',
    });
  });
});
