import { readFile } from 'node:fs/promises';
import { parseEnv } from 'node:util';
import { metricDefinitions, prometheusName } from '@parley/contracts/telemetry';
import { describe, expect, it, vi } from 'vitest';
import { build } from '../../testing/kit.ts';
import { createPolicy } from './policy.ts';
import { checkedSettings, policyFromEnv, policyKey, type PolicySettings } from './settings.ts';

describe('the settings of a policy', () => {
  it('are those of the environment before the defaults of whoever asks', () => {
    const env = {
      POLICY_PAYMENT_TIMEOUT_MS: '70',
      POLICY_PAYMENT_BREAKER: 'sampling',
      POLICY_OTHER_RETRIES: 'x',
    };
    const parsed = policyFromEnv('payment', { timeoutMs: 50, retries: 3 }, env);
    expect(parsed).toMatchObject({
      ok: true,
      config: { timeoutMs: 70, breaker: 'sampling', retries: 3, queueMax: 0 },
    });
  });

  it.each([
    ['POLICY_PAYMENT_TIMEOUT_MS', '0'],
    ['POLICY_PAYMENT_TIMEOUT_MS', '1e2'],
    ['POLICY_PAYMENT_RETRIES', '1.5'],
    ['POLICY_PAYMENT_RETRIES', '11'],
    ['POLICY_PAYMENT_BREAKER', 'both'],
    ['POLICY_PAYMENT_BREAKER_SHARE', '1'],
    ['POLICY_PAYMENT_TIMEOUT', '70'],
  ])('name a key that is wrong or unknown: %s=%s', (key, value) => {
    const parsed = policyFromEnv('payment', { timeoutMs: 50 }, { [key]: value });
    expect(parsed.ok ? [] : parsed.problems).toEqual([expect.stringMatching(`^${key}: `)]);
  });

  it('are all in .env.example, which has no others, with values that can be used', async () => {
    const example = parseEnv(await readFile(new URL('../../../../.env.example', import.meta.url), 'utf8'));
    const keys = Object.keys(example).filter((key) => key.startsWith('POLICY_'));
    const settings = Object.keys(checkedSettings({ timeoutMs: 1 })) as (keyof PolicySettings)[];
    expect(keys.toSorted()).toEqual(settings.map((setting) => policyKey('payment', setting)).toSorted());
    expect(policyFromEnv('payment', { timeoutMs: 1 }, example)).toMatchObject({ ok: true });
  });

  it('are refused by whoever builds a policy out of range, with the value', () => {
    expect(() => createPolicy({ name: 'p', timeoutMs: -1 })).toThrow(/timeoutMs.*-1/);
  });
});

describe('the policies of a service', () => {
  it('are told by GET /ops/policies, and every change of a breaker by a log line', async () => {
    const { service, lines } = build({ env: { POLICY_PEER_BREAKER_FAILURES: '2' } });
    const policy = service.policy('peer', { timeoutMs: 100, breaker: 'consecutive' });
    expect(() => service.policy('peer', { timeoutMs: 1 })).toThrow('already');
    await service.run(() => undefined);
    for (let n = 0; n < 3; n += 1)
      await policy.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);
    const answer = await fetch(`http://127.0.0.1:${service.ports.ops ?? 0}/ops/policies`);
    expect(await answer.json()).toMatchObject({
      policies: [
        {
          name: 'peer',
          state: 'open',
          nextProbeAt: expect.any(String) as string,
          counts: { calls: 3, attempts: 2, failedAttempts: 2, refused: { 'breaker-open': 1 }, opened: 1 },
          settings: { breakerFailures: 2 },
        },
      ],
    });
    const changes = lines.filter((line) => line.includes('breaker changed'));
    expect(changes).toHaveLength(1);
    expect(JSON.parse(changes[0] ?? '{}')).toMatchObject({ policy: 'peer', from: 'closed', to: 'open' });
  });

  it('are metrics of the process', async () => {
    const { service } = build();
    const breaker = { breaker: 'consecutive', breakerFailures: 1, breakerWaitMs: 60_000 } as const;
    const policy = service.policy('peer', { timeoutMs: 100, ...breaker });
    await service.run(() => undefined);
    for (let n = 0; n < 3; n += 1)
      await policy.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);
    const text = await (await fetch(`http://127.0.0.1:${service.ports.ops ?? 0}/metrics`)).text();
    const valueOf = (...words: readonly string[]): string | undefined =>
      text
        .split('\n')
        .find((line) => !line.startsWith('#') && words.every((word) => line.includes(word)))
        ?.split(' ')[1];
    expect(valueOf('breaker_state', '"peer"', '"open"')).toBe('1');
    expect(valueOf('breaker_state', '"peer"', '"closed"')).toBe('0');
    expect(valueOf('policy_calls', '"peer"', '"breaker-open"')).toBe('2');
    expect(valueOf('policy_calls', '"peer"', '"ended"')).toBe('1');
  });

  it('count every change of a breaker by the state that it came into, from 0 on', async () => {
    const { service } = build();
    const breaker = { breaker: 'consecutive', breakerFailures: 1, breakerWaitMs: 1 } as const;
    const policy = service.policy('peer', { timeoutMs: 100, ...breaker });
    await service.run(() => undefined);
    const counted = async (): Promise<Record<string, string>> => {
      const text = await (await fetch(`http://127.0.0.1:${service.ports.ops ?? 0}/metrics`)).text();
      const name = prometheusName(metricDefinitions.breakerChanges);
      const series = text.matchAll(
        new RegExp(`^${name}\\{parley_policy="peer",parley_breaker_state="(.*)"\\} (\\d+)$`, 'gm'),
      );
      return Object.fromEntries([...series].map(([, state = '', count = '']) => [state, count]));
    };
    expect(await counted()).toEqual({ closed: '0', open: '0', 'half-open': '0' });
    const fail = () => policy.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);
    await fail();
    expect(await counted()).toEqual({ closed: '0', open: '1', 'half-open': '0' });
    await vi.waitFor(async () => {
      expect(await policy.execute(() => 'well')).toBe('well');
    });
    expect(await counted()).toEqual({ closed: '1', open: '1', 'half-open': '1' });
  });
});
