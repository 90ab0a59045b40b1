import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodes } from '../cli/exit.ts';
import { endpointsOf } from '../stack/addresses.ts';
import { rulesFolder } from '../metrics/prometheus-config.ts';
import { drill } from './drill.ts';
import { faults, type DrillStack, type Fault } from './faults.ts';

/** Prometheus as far as a drill asks it: an alert that fires while the fault is in. */
describe('a drill', () => {
  let prometheus: Server;
  let alerts: object[];
  let stack: DrillStack;
  let isIn: boolean;
  const firing = {
    labels: { alertname: 'InstanceGone', service_name: 'payment' },
    annotations: { summary: 'payment-1 does not answer' },
    state: 'firing',
  };
  const other = { ...firing, labels: { alertname: 'InstanceGone', service_name: 'order' } };
  const pending = { ...firing, state: 'pending' };

  beforeEach(async () => {
    [alerts, isIn] = [[], false];
    prometheus = createServer((_, response) => response.end(JSON.stringify({ data: { alerts } })));
    prometheus.listen(0, '127.0.0.1');
    await once(prometheus, 'listening');
    const { port } = prometheus.address() as AddressInfo; // listening on TCP
    const endpoints = { ...endpointsOf({ portBase: 4000 }), metrics: { url: `http://127.0.0.1:${port}` } };
    stack = { runDir: '/nowhere', endpoints, placeOrder: () => Promise.resolve() };
  });
  afterEach(async () => {
    prometheus.close();
    await once(prometheus, 'close');
  });

  const faultThatRaises = (raised: object[]): Fault => ({
    name: 'a-fault',
    summary: 'something breaks',
    alert: { alertname: 'InstanceGone', service_name: 'payment' },
    inject: () => {
      [alerts, isIn] = [raised, true];
      return Promise.resolve(() => {
        isIn = false;
        return Promise.resolve();
      });
    },
  });
  const options = (deadlineMs: number, signal = new AbortController().signal) => ({
    deadlineMs,
    signal,
    said: () => undefined,
  });

  it('ends with the alert that names the service, and takes the fault out', async () => {
    const result = await drill(faultThatRaises([other, firing]), stack, options(5000));
    expect(result.alert).toEqual({ labels: firing.labels, summary: 'payment-1 does not answer' });
    expect(isIn).toBe(false);
  });

  it('that no alert notices in time says so, and takes the fault out', async () => {
    const result = await drill(faultThatRaises([other, pending]), stack, options(50));
    expect(result.alert).toBeUndefined();
    expect(isIn).toBe(false);
  });

  it('that is stopped takes the fault out', async () => {
    const signal = AbortSignal.timeout(50);
    await expect(drill(faultThatRaises([]), stack, options(60_000, signal))).rejects.toThrow();
    expect(isIn).toBe(false);
  });

  it('does not begin while its alert fires', async () => {
    alerts = [firing];
    await expect(drill(faultThatRaises([]), stack, options(50))).rejects.toMatchObject({
      exitCode: exitCodes.failed,
    });
    expect(isIn).toBe(false);
  });
});

it('every alert rule has a drill, and every drill waits for one of the rules', () => {
  const rules = readFileSync(join(rulesFolder, 'parley.rules.yaml'), 'utf8');
  const alerts = [...rules.matchAll(/^ *- alert: (\w+)$/gm)].map(([, name]) => name);
  const drilled = new Set(faults.map(({ alert }) => alert.alertname));
  expect(alerts.length).toBeGreaterThan(0);
  expect([...drilled].toSorted()).toEqual(alerts.toSorted());
});
