import { browserNeeds, openPage, type OpenPage } from '@parley/console/testing';
import { beforeEach, expect, it } from 'vitest';
import { ask } from '../client.ts';
import { mintToken, readStack } from '../stack.ts';

const stack = readStack();
const { url = '' } = stack.endpoints.console ?? {};
const timeout = 120_000;

beforeEach((context) => {
  const needs = browserNeeds();
  if (needs !== undefined) context.skip(`needs ${needs}`);
});

it('the console’s overview shows that all is up and places an order, by keyboard alone and without a network', async () => {
  await using opened = await openPage();
  const { page, abroad, errors } = opened;
  await page.goto(url);
  await page.getByRole('heading', { name: 'Everything is up' }).waitFor({ timeout });
  for (const id of ['order-1', 'product-1', 'payment-1', 'notification-1', 'shipping-1', 'kafka', 'envoy'])
    await page.getByRole('row', { name: new RegExp(`^${id} up`) }).waitFor({ timeout });
  // Its declaration knows two parts of its version: the third is of the one that runs.
  await page.getByRole('row', { name: /^rabbitmq up \d+\.\d+\.\d+ / }).waitFor({ timeout });
  await page.getByRole('button', { name: 'Place an order' }).focus();
  await page.keyboard.press('Enter');
  const placed = page.locator('.try li').first();
  await placed.waitFor({ timeout });
  expect(await placed.innerText()).toContain('201 PAID');
  const orderId = (await placed.locator('.detail').innerText()).trim();
  const headers = { authorization: `Bearer ${await mintToken(stack, { sub: 'console' })}` };
  const order = await ask(`${stack.endpoints.gateway.url}/api/v1/orders/${orderId}`, { headers });
  expect(order.body).toMatchObject({ orderId, customerId: 'console', channel: 'WEB' });
  expect({ abroad, errors }).toEqual({ abroad: [], errors: [] });
});

/** As a run writes it: the ledger of this very run is not there before its end. */
const ledger = {
  kind: 'ledger',
  writtenAtMs: Date.UTC(2026, 10, 28),
  ledger: {
    proven: 1,
    total: 2,
    tests: { passed: 1, failed: 0, skipped: 0 },
    rows: [
      {
        id: 'US9.1',
        text: 'A row with evidence',
        verdict: 'proven',
        proofs: [{ file: 'a.e2e.spec.ts', title: 'it holds', durationMs: 3, evidence: [{ traceId: 'abc' }] }],
      },
      { id: 'US9.2', text: 'A row without', verdict: 'not proven', reason: 'needs a browser', proofs: [] },
    ],
  },
};

it('every state of the console has a URL, which shows the same again in another browser', async () => {
  const looked: string[] = [];
  /** What a stranger sees who was sent the link. */
  const seenAt = async (href: string, look: (page: OpenPage['page']) => Promise<void>): Promise<void> => {
    await using opened = await openPage({ theme: 'dark' });
    await opened.page.route('**/api/ledger', (route) => route.fulfill({ json: ledger }));
    await opened.page.goto(href);
    await look(opened.page);
    looked.push(href.slice(url.length));
    expect(opened.abroad).toEqual([]);
  };
  await using opened = await openPage();
  const { page } = opened;
  await page.route('**/api/ledger', (route) => route.fulfill({ json: ledger }));
  const search = (): string => new URL(page.url()).search;

  await page.goto(`${url}/nowhere`);
  await page.getByText('There is no page at /nowhere').waitFor({ timeout });
  await page.getByRole('link', { name: 'Overview', exact: true }).click();
  await page.getByRole('heading', { name: 'Everything is up' }).waitFor({ timeout });
  expect(new URL(page.url()).pathname).toBe('/');

  await page.getByRole('link', { name: 'US9.1' }).focus();
  await page.keyboard.press('Enter'); // a row opens by keyboard
  await page.getByText('"traceId": "abc"').waitFor({ timeout });
  await expect.poll(search, { timeout }).toBe('?row=US9.1');
  await seenAt(page.url(), (theirs) => theirs.getByText('"traceId": "abc"').waitFor({ timeout }));

  await page.getByRole('link', { name: 'Not proven', exact: true }).click();
  await page.getByRole('searchbox').fill('without');
  await expect.poll(search, { timeout }).toBe('?row=US9.1&verdict=open&q=without');
  await seenAt(page.url(), async (theirs) => {
    await theirs.getByText('1 shown').waitFor({ timeout });
    expect(await theirs.getByRole('searchbox').inputValue()).toBe('without');
    await theirs.goto(`${url}/?q=no-such-word`);
    await theirs.getByText('No row is like that').waitFor({ timeout });
  });

  await page.getByRole('link', { name: 'Signals', exact: true }).click();
  await page.getByRole('link', { name: '60 min' }).click({ timeout });
  await expect.poll(search, { timeout }).toBe('?window=60');
  await seenAt(page.url(), async (theirs) => {
    await theirs.locator('a[aria-current=true]', { hasText: '60 min' }).waitFor({ timeout });
  });
  expect(looked).toEqual(['/?row=US9.1', '/?row=US9.1&verdict=open&q=without', '/signals?window=60']);
});

it('what the console no longer hears of is not said to be well, and what is down is named', async () => {
  await using opened = await openPage();
  const { page } = opened;
  await page.goto(url);
  const order = page.getByRole('button', { name: 'Place an order' });
  await page.getByRole('heading', { name: 'Everything is up' }).waitFor({ timeout });
  await page.route('**/api/stack', (route) =>
    route.fulfill({ status: 503, json: { error: 'no stack is ready' } }),
  );
  await page.getByRole('heading', { name: 'No news of the stack' }).waitFor({ timeout });
  expect(await page.getByRole('status').innerText()).toMatch(
    /^▲ no stack is ready. What follows was so at \d/,
  );
  expect(await order.isDisabled()).toBe(true);
  await page.unroute('**/api/stack');
  await page.getByRole('heading', { name: 'Everything is up' }).waitFor({ timeout });
  await page.route('**/api/stack', async (route) => {
    const answer = await route.fetch();
    const state = (await answer.json()) as { engines: { name: string; up: boolean; detail?: string }[] };
    const engines = state.engines.map((engine) =>
      engine.name === 'kafka' ? { ...engine, up: false, detail: 'no answer in 1500 ms' } : engine,
    );
    await route.fulfill({ json: { ...state, engines } });
  });
  await page.getByRole('heading', { name: 'Down: kafka' }).waitFor({ timeout });
  await page.getByRole('row', { name: /^kafka .*down.*no answer in 1500 ms/ }).waitFor({ timeout });

  await page.goto(`${url}/signals`);
  await page.locator('.panels').waitFor({ timeout });
  await page.route('**/api/metrics/**', (route) =>
    route.fulfill({ status: 502, json: { error: 'Prometheus: it is away' } }),
  );
  const stale = page
    .getByRole('status')
    .filter({ hasText: 'Prometheus: it is away. The figures below are older.' });
  await stale.waitFor({ timeout });
});

it('each panel of the dashboard, and its map, names its whole PromQL by keyboard and opens it in Prometheus', async () => {
  await using opened = await openPage({ height: 1320 });
  const { page, abroad, errors } = opened;
  await page.goto(`${url}/signals?window=5`);
  const ofPanels = page.locator('.panel .queries a');
  const ofMap = page.locator('.map ~ .queries a');
  await ofPanels.first().waitFor({ timeout });
  const panels = await page.locator('.panel').count();
  expect(panels).toBe(5 * 4);
  expect(await ofPanels.count()).toBe(5 * 6); // a duration has three
  expect(await ofMap.count()).toBe(5);
  const prometheus = stack.endpoints.metrics?.url ?? '';
  for (const query of [...(await ofMap.all()), ...(await ofPanels.all())]) {
    const href = new URL((await query.getAttribute('href')) ?? '');
    const promql = href.searchParams.get('g0.expr') ?? '';
    expect(href.origin).toBe(new URL(prometheus).origin);
    expect(await query.innerText()).toContain(promql);
    await query.focus();
    const isCut = await query.locator('.promql').evaluate((shown) => shown.scrollWidth > shown.clientWidth);
    expect(isCut).toBe(false);
    const answer = await ask(
      `${prometheus}/api/v1/query?${new URLSearchParams({ query: promql }).toString()}`,
    );
    expect(answer.body).toMatchObject({ status: 'success' });
  }
  expect({ abroad, errors }).toEqual({ abroad: [], errors: [] });
});
