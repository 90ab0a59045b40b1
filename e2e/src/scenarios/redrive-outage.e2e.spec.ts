import { randomUUID } from 'node:crypto';
import { shippingEvents } from '@parley/contracts/topics';
import { afterAll, describe, expect, it } from 'vitest';
import { Customer } from '../client.ts';
import { runCommand, type CommandResult } from '../command.ts';
import { ServiceLetters } from '../dead-letters.ts';
import { evidence } from '../ledger/evidence.ts';
import { readTopic } from '../log.ts';
import { appendPoisonedPayment } from '../poison.ts';
import { pidOf, readStack } from '../stack.ts';
import { waitFor } from '../wait.ts';
import { untilWell } from '../well.ts';

const stack = readStack();
const productId = 'cinder-earbuds';
const orders = 4;
const deadlineMs = 180_000;
// The services find Kafka again one by one, and no order of this test asks product and payment for anything after that.
afterAll(() => untilWell(stack));

/** Orders of which notification cannot handle the payment, by the id of their letter. */
const deadPayments = async (customer: Customer): Promise<ReadonlyMap<string, string>> => {
  const price = await customer.ordered({ productId, quantity: 1 });
  if (price.amount === undefined) throw new Error('a paid order has an amount');
  const orderIds: string[] = [];
  for (let n = 0; n < orders; n += 1) {
    const idempotencyKey = randomUUID();
    const { orderId } = await appendPoisonedPayment(stack, {
      customerId: customer.sub,
      idempotencyKey,
      ...price.amount,
      traceparent: `00-${randomUUID().replaceAll('-', '')}-00f067aa0ba902b7-01`,
    });
    await customer.ordered({ productId, quantity: 1, idempotencyKey });
    orderIds.push(orderId);
  }
  const letters = new ServiceLetters(stack, 'notification');
  const byLetter = new Map<string, string>();
  for (const orderId of orderIds) {
    const isOpen = (each: { readonly subject: string; readonly state: string }): boolean =>
      each.subject === `payment-${orderId}` && each.state === 'open';
    byLetter.set((await letters.find('the letter', isOpen, deadlineMs)).id, orderId);
  }
  return byLetter;
};

/** `npm run dlq -- redrive <id> --edit`, in an editor that names the customer. */
const mend = (id: string, { sub }: Customer): Promise<CommandResult> =>
  runCommand(stack, [
    'env',
    `EDITOR=sed -i 's/"xx*"/"${sub}"/'`,
    process.execPath,
    'platform/launcher/src/main.ts',
    'dlq',
    'redrive',
    id,
    '--edit',
    '--why',
    'the customer is named',
  ]);

describe('redrives of dead letters on Kafka, of which the broker dies in the middle', () => {
  it(
    'lose nothing: the command says that it has failed, every letter is there afterwards, the next redrive goes on, and every order is shipped once (US2.3, EC-1)',
    { timeout: 1_200_000 },
    async (context) => {
      const customer = await Customer.of(stack, 'redrive-outage');
      const byLetter = await deadPayments(customer);
      const letters = new ServiceLetters(stack, 'notification');
      const states = async (): Promise<readonly string[]> => {
        const all = await letters.list();
        return [...byLetter.keys()].map((id) => all.find((each) => each.id === id)?.state ?? 'lost');
      };
      const [first = '', second = '', ...rest] = [...byLetter.keys()];
      expect((await mend(first, customer)).exitCode).toBe(0);
      // It answers nobody before it dies: how soon another one is there must not decide what the command meets.
      const broker = pidOf(stack, 'kafka');
      process.kill(broker, 'SIGSTOP');
      const frozenAt = performance.now();
      const failed = await mend(second, customer).finally(() => process.kill(broker, 'SIGKILL'));
      const failedAfterMs = Math.round(performance.now() - frozenAt);
      expect([failed.exitCode, failed.stderr]).toEqual([3, expect.stringContaining('try again')]);
      const isBack = (): true | undefined => (pidOf(stack, 'kafka') === broker ? undefined : true);
      await waitFor('Kafka to run again', isBack, { deadlineMs });
      const areThere = async (): Promise<readonly string[] | undefined> => {
        const now = await states();
        return now.includes('lost') ? undefined : now;
      };
      const afterBroker = await waitFor('every letter to be there', areThere, { deadlineMs });
      const goesOn = async (id: string): Promise<true | undefined> =>
        (await mend(id, customer)).exitCode === 0 ? true : undefined;
      // Again from the first one, as whoever does not know how far it came does it.
      for (const id of [first, second, ...rest])
        await waitFor(`${id} to be taken`, () => goesOn(id), { deadlineMs, intervalMs: 1_000 });
      const areSettled = async (): Promise<true | undefined> =>
        (await states()).every((state) => state === 'redriven') ? true : undefined;
      await waitFor('every letter to be settled', areSettled, { deadlineMs });
      for (const orderId of byLetter.values()) await customer.status(orderId, 'SHIPPED', deadlineMs);
      const { accepted } = await readTopic(stack, shippingEvents.name);
      const shipments = [...byLetter.values()].map(
        (orderId) => accepted.filter(({ streamId }) => streamId === `shipment-${orderId}`).length,
      );
      expect(shipments).toEqual(shipments.map(() => 1));
      evidence(context, ['US2.3', 'EC-1'], {
        letters: orders,
        failedAfterMs,
        afterBroker,
        shippedOnce: shipments.length,
      });
    },
  );
});
