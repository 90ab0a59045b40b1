import { browserNeeds, openPage } from '@parley/console/testing';
import { beforeEach, expect, it } from 'vitest';
import { ask } from '../client.ts';
import { mintToken, readStack } from '../stack.ts';

const stack = readStack();
const { url = '' } = stack.endpoints.console ?? {};
const timeout = 20_000;

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

it('every state of the console’s overview has a URL, which shows the same again', async () => {
  await using opened = await openPage({ theme: 'dark' });
  const { page } = opened;
  await page.goto(`${url}/?q=no-such-word`);
  const evidence = page.locator('section').last();
  await evidence.locator('.empty').waitFor({ timeout });
  await page.goto(`${url}/nowhere`);
  await page.getByText('There is no page at /nowhere').waitFor({ timeout });
  await page.getByRole('link', { name: 'Overview', exact: true }).click();
  await page.getByRole('heading', { name: 'Everything is up' }).waitFor({ timeout });
  expect(new URL(page.url()).pathname).toBe('/');
});
