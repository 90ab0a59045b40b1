import { setTimeout as pause } from 'node:timers/promises';
import { context, INVALID_SPAN_CONTEXT, trace, type Span } from '@opentelemetry/api';
import { attribute, spanEvents } from '@parley/contracts/telemetry';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runInContext } from '../context.ts';
import { CallFailure } from './failure.ts';
import { createPolicy, type Policy } from './policy.ts';

describe('a policy', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('retries up to its number of attempts', async () => {
    const policy = createPolicy({
      name: 'p',
      timeoutMs: 100,
      retries: 2,
      retryDelayMs: 1,
    });
    let calls = 0;
    const failing = policy.execute(() => Promise.reject(new Error(`attempt ${++calls}`)), {
      idempotent: true,
    });
    await expect(failing).rejects.toThrow('attempt 3');
  });

  it('opens its breaker after failures in a row and refuses at once', async () => {
    const policy = createPolicy({
      name: 'p',
      timeoutMs: 100,
      breaker: 'consecutive',
      breakerFailures: 2,
      breakerWaitMs: 60_000,
    });
    const fail = (): Promise<never> => policy.execute(() => Promise.reject(new Error('down')));
    await expect(fail()).rejects.toThrow('down');
    await expect(fail()).rejects.toThrow('down');
    expect(policy.status().state).toBe('open');
    await expect(fail()).rejects.toMatchObject({ reason: 'breaker-open' });
  });

  const never = (): Promise<never> => new Promise(() => undefined);
  const opened = async (timeoutMs = 100, breakerProbes = 1) => {
    const policy = createPolicy({
      name: 'p',
      timeoutMs,
      breaker: 'consecutive',
      breakerFailures: 1,
      breakerWaitMs: 10,
      breakerProbes,
    });
    await expect(policy.execute(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
    return policy;
  };
  const probing = async (policy: Policy, probe: () => Promise<unknown>, signal?: AbortSignal) => {
    const started = Promise.withResolvers<undefined>();
    let outcome: Promise<unknown> = Promise.resolve();
    await vi.waitFor(async () => {
      outcome = policy.execute(
        () => {
          started.resolve(undefined);
          return probe();
        },
        { signal },
      );
      outcome.catch(() => undefined); // asserted by the caller
      await Promise.race([started.promise, outcome]);
    });
    return { outcome };
  };

  it('refuses everyone else at once while its probe is under way, and closes when the probe succeeds', async () => {
    const policy = await opened(5_000);
    const release = Promise.withResolvers<string>();
    const { outcome } = await probing(policy, () => release.promise);
    expect(policy.status().state).toBe('half-open');
    await expect(policy.execute(never)).rejects.toMatchObject({ reason: 'breaker-open' });
    release.resolve('well');
    expect(await outcome).toBe('well');
    expect(policy.status().state).toBe('closed');
  });

  it('learns nothing from a probe whose caller gave up early: it stays half-open, and the next call is the probe', async () => {
    const policy = await opened(5_000);
    const caller = new AbortController();
    const { outcome } = await probing(policy, never, caller.signal);
    caller.abort();
    await expect(outcome).rejects.toMatchObject({ reason: 'timeout' });
    expect(policy.status().state).toBe('half-open');
    expect(policy.status().counts.opened).toBe(1);
    expect(await policy.execute(() => 'well')).toBe('well');
    expect(policy.status().state).toBe('closed');
  });

  it('does not open again for a call that began before it was half-open and fails while a probe is out', async () => {
    const policy = createPolicy({
      name: 'p',
      timeoutMs: 5_000,
      breaker: 'consecutive',
      breakerFailures: 1,
      breakerWaitMs: 10,
    });
    const [early, alsoEarly, probe] = [
      Promise.withResolvers<string>(),
      Promise.withResolvers<string>(),
      Promise.withResolvers<string>(),
    ];
    const slow = policy.execute(() => early.promise);
    const slower = policy.execute(() => alsoEarly.promise);
    await expect(policy.execute(() => Promise.reject(new Error('down')))).rejects.toThrow('down');
    const { outcome } = await probing(policy, () => probe.promise);
    early.reject(new Error('down'));
    await expect(slow).rejects.toThrow('down');
    expect(policy.status()).toMatchObject({ state: 'half-open', counts: { opened: 1 } });
    probe.resolve('well');
    await outcome;
    alsoEarly.reject(new Error('down'));
    await expect(slower).rejects.toThrow('down');
    expect(policy.status()).toMatchObject({ state: 'closed', counts: { opened: 1 } });
  });

  it('does not hold against a peer that its caller soon ran out of time', async () => {
    const policy = createPolicy({
      name: 'p',
      timeoutMs: 5_000,
      retries: 2,
      retryDelayMs: 1,
      breaker: 'consecutive',
      breakerFailures: 1,
      breakerWaitMs: 60_000,
    });
    let calls = 0;
    const call = (deadlineAtMs: number) =>
      runInContext({ deadlineAtMs }, () =>
        policy.execute(
          (signal) => {
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
          },
          { idempotent: true },
        ),
      );
    await expect(call(Date.now() + 300)).rejects.toMatchObject({ reason: 'timeout' });
    await expect(call(Date.now() - 1)).rejects.toMatchObject({ reason: 'timeout' });
    expect(calls).toBe(1);
    expect(policy.status().state).toBe('closed');
  });

  it('opens for callers that give up after half of its timeout, also from half-open: a peer that hangs costs the next ones nothing', async () => {
    const settings = { breaker: 'consecutive', breakerFailures: 2, breakerWaitMs: 20 } as const;
    const policy = createPolicy({ name: 'p', timeoutMs: 200, ...settings });
    vi.useFakeTimers();
    const impatient = async (leftMs: number) => {
      const caller = new AbortController();
      setTimeout(() => {
        caller.abort();
      }, leftMs);
      const answer = runInContext({ deadlineAtMs: Date.now() + leftMs }, () =>
        policy.execute(never, { signal: caller.signal, fallback: (reason) => reason }),
      );
      await vi.advanceTimersByTimeAsync(leftMs);
      return answer;
    };
    for (let n = 0; n < 3; n += 1) expect(await impatient(60)).toBe('timeout');
    expect(policy.status().state).toBe('closed');
    for (let n = 0; n < 2; n += 1) expect(await impatient(150)).toBe('timeout');
    expect(policy.status()).toMatchObject({ state: 'open', counts: { opened: 1, failedAttempts: 2 } });
    await vi.advanceTimersByTimeAsync(settings.breakerWaitMs);
    expect(await impatient(150)).toBe('timeout'); // the probe
    expect(policy.status()).toMatchObject({ state: 'open', counts: { opened: 2 } });
    expect(await impatient(150)).toBe('breaker-open');
  });

  it('does not count a refusal that comes as its caller gives up', async () => {
    const settings = { breaker: 'consecutive', breakerFailures: 1 } as const;
    const policy = createPolicy({ name: 'p', timeoutMs: 100, ...settings });
    const caller = new AbortController();
    const refused = policy.execute(
      async () => {
        await pause(60);
        caller.abort();
        throw new CallFailure('CONFLICT', { retryable: true, counts: false });
      },
      { signal: caller.signal },
    );
    await expect(refused).rejects.toMatchObject({ reason: 'timeout' });
    expect(policy.status().state).toBe('closed');
  });

  it('ends an attempt at its timeout', async () => {
    const policy = createPolicy({ name: 'p', timeoutMs: 20 });
    await expect(policy.execute(() => new Promise(() => undefined))).rejects.toMatchObject({
      reason: 'timeout',
    });
  });

  const failing = (
    message: string,
    meaning: { retryable: boolean; counts: boolean; retryAfterMs?: number },
  ) => vi.fn(() => Promise.reject(new CallFailure(message, meaning)));
  const idempotent = true;

  it('does not repeat a call that is not idempotent', async () => {
    const policy = createPolicy({ name: 'p', timeoutMs: 100, retries: 3, retryDelayMs: 1 });
    const fn = failing('down', { retryable: true, counts: true });
    await expect(policy.execute(fn)).rejects.toThrow('down');
    expect(fn).toHaveBeenCalledTimes(1);
  });

  it('does not repeat what no repetition mends, and still counts it against the peer', async () => {
    const policy = createPolicy({
      name: 'p',
      timeoutMs: 100,
      retries: 3,
      retryDelayMs: 1,
      breaker: 'consecutive',
      breakerFailures: 1,
    });
    const fn = failing('INTERNAL', { retryable: false, counts: true });
    await expect(policy.execute(fn, { idempotent })).rejects.toThrow('INTERNAL');
    expect(fn).toHaveBeenCalledTimes(1);
    expect(policy.status()).toMatchObject({ state: 'open', lastFailures: [{ reason: 'INTERNAL' }] });
  });

  it('repeats a refusal that may pass, which says that the peer is well: it ends a run of failures', async () => {
    const settings = { retries: 1, retryDelayMs: 1, breaker: 'consecutive', breakerFailures: 2 } as const;
    const policy = createPolicy({ name: 'p', timeoutMs: 100, ...settings });
    const down = failing('INTERNAL', { retryable: false, counts: true });
    const conflict = failing('CONFLICT', { retryable: true, counts: false });
    for (const fn of [down, conflict, down]) await policy.execute(fn, { idempotent }).catch(() => undefined);
    expect(conflict).toHaveBeenCalledTimes(2);
    expect(policy.status().state).toBe('closed');
  });

  it('lets exactly as many probes through as it has, whoever else calls, and closes when all of them succeed', async () => {
    const policy = await opened(5_000, 3);
    const release = Promise.withResolvers<string>();
    let probes = 0;
    const call = () =>
      policy.execute<string>(() => ((probes += 1), release.promise), { fallback: () => 'fallback' });
    const answers: Promise<string>[] = [];
    await vi.waitFor(() => {
      answers.push(call());
      expect(probes).toBe(1);
    });
    for (let n = 0; n < 50; n += 1) answers.push(call());
    expect(probes).toBe(3);
    expect(policy.status().state).toBe('half-open');
    release.resolve('well');
    expect((await Promise.all(answers)).filter((answer) => answer === 'well')).toHaveLength(3);
    expect(policy.status().state).toBe('closed');
  });

  it('opens on a share of failures among many calls, when it samples', async () => {
    const settings = { breaker: 'sampling', breakerShare: 0.5, breakerSampleMs: 1_000 } as const;
    const policy = createPolicy({ name: 'p', timeoutMs: 100, ...settings, breakerPerSecondMin: 1 });
    let n = 0;
    const some = () =>
      policy.execute(() => (n++ % 4 === 3 ? Promise.reject(new Error('down')) : 1)).catch(() => undefined);
    for (let calls = 0; calls < 100; calls += 1) await some();
    expect(policy.status().state).toBe('closed');
    for (let calls = 0; calls < 300; calls += 1)
      await policy.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);
    expect(policy.status().state).toBe('open');
  });

  it('pauses with growing, jittered delays, and never for less than the peer asks', async () => {
    vi.useFakeTimers();
    const pauses: number[][] = [];
    for (let n = 0; n < 40; n += 1) {
      const at: number[] = [];
      const policy = createPolicy({ name: 'p', timeoutMs: 100, retries: 2, retryDelayMs: 8 });
      const fn = () => Promise.reject(new Error(String(at.push(performance.now()))));
      const failed = policy.execute(fn, { idempotent }).catch(() => undefined);
      await vi.runAllTimersAsync();
      await failed;
      pauses.push(at.slice(1).map((ms, index) => ms - (at[index] ?? 0)));
    }
    const mean = (index: number) =>
      pauses.reduce((sum, pause) => sum + (pause[index] ?? 0), 0) / pauses.length;
    expect(mean(1)).toBeGreaterThan(1.2 * mean(0));
    expect(new Set(pauses.map(([first]) => Math.round(first ?? 0))).size).toBeGreaterThan(3);

    const policy = createPolicy({ name: 'p', timeoutMs: 100, retries: 1, retryDelayMs: 1 });
    const startedAtMs = performance.now();
    const busy = failing('OVERLOADED', { retryable: true, counts: true, retryAfterMs: 60 });
    const failed = policy.execute(busy, { idempotent }).catch(() => undefined);
    await vi.runAllTimersAsync();
    await failed;
    expect(busy).toHaveBeenCalledTimes(2);
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(60);
  });

  it('does not ask again a peer that wants a longer pause than a call may make, or than its deadline leaves', async () => {
    const policy = createPolicy({ name: 'p', timeoutMs: 100, retries: 2, retryAfterMsMax: 1_000 });
    const later = failing('OVERLOADED', { retryable: true, counts: true, retryAfterMs: 1_001 });
    await policy.execute(later, { idempotent }).catch(() => undefined);
    const soon = failing('OVERLOADED', { retryable: true, counts: true, retryAfterMs: 900 });
    await runInContext({ deadlineAtMs: Date.now() + 500 }, () =>
      policy.execute(soon, { idempotent }).catch(() => undefined),
    );
    expect([later.mock.calls.length, soon.mock.calls.length]).toEqual([1, 1]);
  });

  it('makes no more retries than its budget has: an outage is not multiplied', async () => {
    const budget = { retryBudgetShare: 0.1, retryBudgetReserve: 5 };
    const policy = createPolicy({ name: 'p', timeoutMs: 100, retries: 3, retryDelayMs: 1, ...budget });
    const fn = failing('down', { retryable: true, counts: true });
    for (let n = 0; n < 100; n += 1) await policy.execute(fn, { idempotent }).catch(() => undefined);
    expect(fn.mock.calls.length).toBeLessThanOrEqual(100 + 0.1 * 100 + 5);
    expect(policy.status().counts).toMatchObject({
      calls: 100,
      retriesOverBudget: expect.any(Number) as number,
    });
    expect(policy.status().counts.retriesOverBudget).toBeGreaterThan(50);
  });

  it('does not pause for a retry that its breaker would refuse: the failure that opens it ends the call at once', async () => {
    const settings = { breaker: 'consecutive', breakerFailures: 2, breakerWaitMs: 60_000 } as const;
    const pauses = { retries: 3, retryDelayMs: 60_000, retryDelayMsMax: 60_000 }; // longer than this test may take
    const policy = createPolicy({ name: 'p', timeoutMs: 100, ...pauses, ...settings });
    const down = failing('down', { retryable: true, counts: true });
    await policy.execute(down).catch(() => undefined);
    await expect(policy.execute(down, { idempotent })).rejects.toThrow('down');
    expect(policy.status()).toMatchObject({ state: 'open', counts: { attempts: 2, retries: 0 } });
  });

  it('has a place for so many calls at a time, and refuses the others at once', async () => {
    const policy = createPolicy({ name: 'p', timeoutMs: 1_000, concurrentMax: 2, queueMax: 1 });
    const release = Promise.withResolvers<number>();
    const calls = Array.from({ length: 5 }, () =>
      policy.execute<number | string>(() => release.promise, { fallback: (reason) => reason }),
    );
    expect(await Promise.all(calls.slice(3))).toEqual(['bulkhead-full', 'bulkhead-full']);
    release.resolve(1);
    expect(await Promise.all(calls)).toEqual([1, 1, 1, 'bulkhead-full', 'bulkhead-full']);
    expect(policy.status().counts).toMatchObject({ fallbacks: 2, refused: { 'bulkhead-full': 2 } });
  });

  it('tells the span that meets it every change of its breaker, and every retry, by the names of the contract', async () => {
    const events: (readonly [string, object])[] = [];
    const span: Span = Object.assign(trace.wrapSpanContext(INVALID_SPAN_CONTEXT), {
      addEvent: (name: string, attributes: object) => {
        events.push([name, attributes]);
        return span;
      },
    });
    const settings = { breaker: 'consecutive', breakerFailures: 2, retries: 1, retryDelayMs: 1 } as const;
    const policy = createPolicy({ name: 'p', timeoutMs: 100, ...settings });
    const failing = context.with(trace.setSpan(context.active(), span), () =>
      policy.execute(() => Promise.reject(new Error('down')), { idempotent: true }),
    );
    await expect(failing).rejects.toThrow('down');
    const { breakerChange, retry } = spanEvents;
    expect(events).toEqual([
      [
        retry.name,
        {
          [attribute.policy]: 'p',
          [attribute.retryDelay]: expect.any(Number) as number,
          [attribute.errorType]: 'error',
        },
      ],
      [
        breakerChange.name,
        {
          [attribute.policy]: 'p',
          [attribute.breakerStateBefore]: 'closed',
          [attribute.breakerState]: 'open',
        },
      ],
    ]);
    expect(events.map(([, attributes]) => Object.keys(attributes))).toEqual([
      retry.attributes,
      breakerChange.attributes,
    ]);
  });

  it('tells when it will let the next probe through', async () => {
    const settings = { breaker: 'consecutive', breakerFailures: 1, breakerWaitMs: 60_000 } as const;
    const policy = createPolicy({ name: 'p', timeoutMs: 100, ...settings });
    expect(policy.status()).not.toHaveProperty('nextProbeAt');
    await policy.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);
    const inMs = Date.parse(policy.status().nextProbeAt ?? '') - Date.now();
    expect(inMs).toBeGreaterThan(50_000);
    expect(inMs).toBeLessThanOrEqual(60_000);
  });
});
