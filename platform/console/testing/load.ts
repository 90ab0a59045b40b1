import { setTimeout as pause } from 'node:timers/promises';
import type { Endpoints } from '@parley/contracts/endpoints';

/** Fewer at a time than the console places, so that a person's own order is not refused meanwhile. */
const EVERY_MS = 250;
const ANSWER_TIMEOUT_MS = 10_000;
/** Bound of a fault that nobody takes out, as when this process is killed. */
const FAULT_FOR_MS = 300_000;

/** Places orders as the console's button does, one after another, until it is aborted. What fails is what is looked at. */
export const placeOrders = async (consoleUrl: string, signal: AbortSignal): Promise<void> => {
  const headers = { 'content-type': 'application/json', origin: new URL(consoleUrl).origin };
  while (!signal.aborted) {
    await fetch(new URL('/api/orders', consoleUrl), {
      method: 'POST',
      headers,
      body: '{}',
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    })
      .then((response) => response.body?.cancel())
      .catch(() => undefined);
    await pause(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
};

const putFaults = async ({ instances }: Endpoints, faults: readonly object[]): Promise<void> => {
  for (const { host, ports } of instances.filter(({ service }) => service === 'payment')) {
    const response = await fetch(`http://${host}:${ports.ops}/ops/faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ faults }),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`payment takes no faults: it answered ${response.status}`);
  }
};

/** Lets payment fail at 30 % while `during` runs, and no longer, whatever happens. */
export const whilePaymentFails = async (endpoints: Endpoints, during: () => Promise<void>): Promise<void> => {
  const fault = { route: 'POST /api/v1/payments', status: 503, errorRate: 0.3, forMs: FAULT_FOR_MS };
  try {
    await putFaults(endpoints, [fault]);
    await during();
  } finally {
    await putFaults(endpoints, []);
  }
};
