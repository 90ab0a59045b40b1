import { setTimeout as pause } from 'node:timers/promises';
import { browserNeeds, openPage, type OpenPage } from '@parley/console/testing';
import { serviceNames } from '@parley/contracts/endpoints';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { ask, Customer } from '../client.ts';
import { evidence } from '../ledger/evidence.ts';
import { readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { untilWell } from '../well.ts';

const stack = readStack();
const { endpoints } = stack;
const consoleUrl = endpoints.console?.url ?? '';
/** Of the seed: enough for every run. */
const PRODUCT = 'wool-door-stop';
const ORDERS_PER_SECOND = 8;
const PAYMENT_ERROR_RATE = 0.3;
/** The page looks at the last minute, and Prometheus every few seconds. */
const SEEN_WITHIN_MS = 240_000;

/** Orders at a steady rate, until it is stopped; resolves with how they were answered. */
const placeSteadily = async (signal: AbortSignal): Promise<Record<number, number>> => {
  const customer = await Customer.of(stack, 'signals');
  const answers: Record<number, number> = {};
  const pending = new Set<Promise<void>>();
  const placeOne = async (): Promise<void> => {
    const { status } = await customer.order({ productId: PRODUCT, quantity: 1 });
    answers[status] = (answers[status] ?? 0) + 1;
  };
  while (!signal.aborted) {
    const one = placeOne().catch(() => undefined);
    pending.add(one);
    void one.finally(() => pending.delete(one));
    await pause(1000 / ORDERS_PER_SECOND); // the rate, not a wait
  }
  await Promise.all(pending);
  return answers;
};

const paymentOps = endpoints.instances
  .filter(({ service }) => service === 'payment')
  .map(({ host, ports }) => `http://${host}:${ports.ops}/ops/faults`);

const setFaults = async (faults: readonly object[]): Promise<void> => {
  for (const url of paymentOps) {
    const answer = await ask(url, { method: 'PUT', body: { faults } });
    if (answer.status !== 200) throw new Error(`PUT ${url} was answered with ${answer.status}`);
  }
};

/** What the page shows of a service: each panel's figures, as text. */
const panelsOf = async (page: OpenPage['page'], service: string): Promise<Record<string, string>> => {
  const shown: Record<string, string> = {};
  for (const panel of ['rate', 'errors', 'duration', 'saturation'])
    shown[panel] = (await page.locator(`[data-panel="${service} ${panel}"] .values`).innerText())
      .replaceAll(/\s+/g, ' ')
      .trim();
  return shown;
};

/** What Prometheus itself answers to the questions that a panel names, in their order. */
const askedDirectly = async (page: OpenPage['page'], panel: string): Promise<readonly number[]> => {
  const answers: number[] = [];
  for (const link of await page.locator(`[data-panel="${panel}"] .queries a`).all()) {
    const url = new URL((await link.getAttribute('href')) ?? '');
    const query = encodeURIComponent(url.searchParams.get('g0.expr') ?? '');
    const { body } = await ask(`${url.origin}/api/v1/query?query=${query}`);
    const { data } = body as {
      readonly data: { readonly result: readonly { readonly value: [number, string] }[] };
    };
    answers.push(Number(data.result[0]?.value[1]));
  }
  return answers;
};

const factors: Readonly<Record<string, number>> = { '%': 0.01, ms: 0.001 };
/** The figures of a panel's text, in Prometheus' units: `p50 3.05 ms p95 1.20 s` is 0.00305 and 1.2. */
const figuresIn = (text = ''): readonly number[] =>
  [...text.matchAll(/(?<![\w.])(\d+(?:\.\d+)?) ?(%|ms|s|\/s)/g)].map(
    ([, value, unit = '']) => Number(value) * (factors[unit] ?? 1),
  );

/** How far a figure may be off besides half of itself: the page is some seconds older, and rounds. */
const slackOf: Readonly<Record<string, number>> = { rate: 1, errors: 0.02, duration: 0.02, saturation: 0.1 };

const needs = browserNeeds();
beforeEach((context) => {
  if (needs !== undefined) context.skip(`needs ${needs}`);
});

const load = new AbortController();
let answered: Promise<Record<number, number>> | undefined;
beforeAll(() => {
  if (needs === undefined) answered = placeSteadily(load.signal);
});
afterAll(async () => {
  load.abort();
  await setFaults([]);
  await answered;
  if (needs === undefined) await untilWell(stack);
});

it('the dashboard shows rate, errors, durations and saturation of every service, each as Prometheus has it (US5.3, FR-011)', async (context) => {
  await using opened = await openPage({ height: 1320 });
  const { page, abroad, errors } = opened;
  await page.goto(`${consoleUrl}/signals?window=5`);
  await page.locator('.panels .chart').first().waitFor({ timeout: SEEN_WITHIN_MS });
  const figures: Record<string, Record<string, string>> = {};
  const prometheus: Record<string, Record<string, readonly number[]>> = {};
  const areAlike = async (): Promise<true> => {
    for (const service of serviceNames) {
      const panels = await panelsOf(page, service);
      figures[service] = panels;
      const direct: Record<string, readonly number[]> = {};
      for (const [panel, slack] of Object.entries(slackOf)) {
        const shown = figuresIn(panels[panel]);
        const asked = await askedDirectly(page, `${service} ${panel}`);
        direct[panel] = asked;
        expect(shown, `${service} ${panel}`).toHaveLength(panel === 'duration' ? 3 : 1);
        expect(asked).toHaveLength(shown.length);
        for (const [at, value] of asked.entries())
          expect(Math.abs(value - (shown[at] ?? NaN)), `${service} ${panel}`).toBeLessThan(
            0.5 * value + slack,
          );
      }
      prometheus[service] = direct;
      expect(direct.rate?.[0]).toBeGreaterThan(0);
      expect(direct.duration?.[0]).toBeGreaterThan(0);
      expect(direct.errors?.[0]).toBeLessThan(1);
    }
    return true;
  };
  // While the load begins, the figures change faster than the page looks.
  await waitFor('figures of every service', areAlike, { deadlineMs: SEEN_WITHIN_MS, intervalMs: 1_000 });
  expect({ abroad, errors }).toEqual({ abroad: [], errors: [] });
  evidence(context, ['US5.3', 'FR-011'], { shownByService: figures, askedDirectly: prometheus });
}, 1_200_000);

it('when payment fails at 30 %, the dashboard names it as the cause, on the map and in its panels, and order’s errors as the consequence (US5.4)', async (context) => {
  await setFaults([
    { route: 'POST /api/v1/payments', failure: 'error', status: 503, errorRate: PAYMENT_ERROR_RATE },
  ]);
  const startedAtMs = performance.now();
  await using opened = await openPage({ height: 1320 });
  const { page, abroad, errors } = opened;
  await page.goto(`${consoleUrl}/signals?window=5`);
  await page.getByRole('heading', { name: 'payment is failing' }).waitFor({ timeout: SEEN_WITHIN_MS });
  const detectedMs = Math.round(performance.now() - startedAtMs);
  const verdictOf = (selector: string): Promise<string | null> =>
    page.locator(selector).getAttribute('data-verdict');
  // One service's figures may be seen sooner than another's.
  const isJudged = async (): Promise<true> => {
    for (const kind of ['tr[data-service', '[data-node'])
      expect([await verdictOf(`${kind}=payment]`), await verdictOf(`${kind}=order]`)]).toEqual([
        'cause',
        'consequence',
      ]);
    for (const service of ['product', 'notification', 'shipping'])
      expect(await verdictOf(`tr[data-service=${service}]`)).toBe('well');
    return true;
  };
  await waitFor('the verdict on every service', isJudged, { deadlineMs: SEEN_WITHIN_MS, intervalMs: 1_000 });
  const errorRatio = await waitFor(
    'an error ratio as it was set',
    async () => {
      const shown = Number.parseFloat((await panelsOf(page, 'payment')).errors ?? '') / 100;
      return shown > PAYMENT_ERROR_RATE / 2 ? shown : undefined;
    },
    { deadlineMs: SEEN_WITHIN_MS, intervalMs: 1_000 },
  );
  expect(errorRatio).toBeLessThan(PAYMENT_ERROR_RATE * 1.6);
  const edge = page.locator('.react-flow__edge.failing');
  expect(await edge.getAttribute('aria-label')).toMatch(/^order to payment: .* fail/);
  const said = await page.locator('.explanation').innerText();
  expect(said).toMatch(/order: \d+(\.\d+)? % of its calls fail, a consequence of payment/);
  expect({ abroad, errors }).toEqual({ abroad: [], errors: [] });
  const [direct] = await askedDirectly(page, 'payment errors');
  evidence(context, ['US5.4'], {
    injectedErrorRate: PAYMENT_ERROR_RATE,
    detectedAfterMs: detectedMs,
    paymentErrorRatioShown: errorRatio,
    paymentErrorRatioOfPrometheus: direct,
    said: said.split('\n'),
  });
}, 1_200_000);
