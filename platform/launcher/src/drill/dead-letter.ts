import { randomUUID } from 'node:crypto';
import type { Endpoints } from '@parley/contracts/endpoints';
import { shippingRequests } from '@parley/contracts/queues';
import { rabbitmqAuthorization } from '@parley/engines/rabbitmq-account';
import { waitUntil } from '@parley/engines/wait';
import { z } from 'zod';
import { CommandError, exitCodes } from '../cli/exit.ts';
import { LetterClient, type FoundLetter } from '../dlq/client.ts';

const publishDeadlineMs = 5000;
const settleDeadlineMs = 15_000;
const Published = z.looseObject({ routed: z.boolean() });
/** Message ids of drills begin so. */
const drillMark = 'drill-';

const publish = async (management: string, messageId: string): Promise<void> => {
  const { exchange, routingKey, messageType } = shippingRequests;
  const response = await fetch(`${management}/api/exchanges/%2F/${encodeURIComponent(exchange)}/publish`, {
    method: 'POST',
    headers: { authorization: rabbitmqAuthorization, 'content-type': 'application/json' },
    body: JSON.stringify({
      routing_key: routingKey,
      properties: { message_id: messageId, correlation_id: messageId, type: messageType, delivery_mode: 2 },
      payload: 'no request to ship, but a drill',
      payload_encoding: 'string',
    }),
    signal: AbortSignal.timeout(publishDeadlineMs),
  });
  if (!response.ok || !Published.parse(await response.json()).routed)
    throw new CommandError(
      exitCodes.environment,
      `RabbitMQ did not take the message: it answered ${response.status}`,
    );
};

/**
 * Sends shipping a request that it cannot read. Resolves with what discards the dead letter that becomes of it, and those
 * of drills that were killed: no order is behind them.
 */
export const sendUnreadableRequest = async (endpoints: Endpoints): Promise<() => Promise<void>> => {
  const messageId = `${drillMark}${randomUUID()}`;
  await publish(endpoints.rabbitmq.management, messageId);
  const client = new LetterClient(endpoints);
  const discard = async (): Promise<boolean> => {
    const ofDrills = (await client.list()).filter(
      ({ service, position }: FoundLetter) => service === 'shipping' && position.startsWith(drillMark),
    );
    let isOursGone = false;
    for (const letter of ofDrills) {
      const { result } = await client.order('discard', letter, { why: 'sent by a drill' });
      if (letter.position === messageId) isOursGone = result !== 'refused';
    }
    return isOursGone;
  };
  return async () => {
    const isDiscarded = await waitUntil(() => discard().catch(() => false), { deadlineMs: settleDeadlineMs });
    if (!isDiscarded)
      process.stderr.write(`the drill's dead letter ${messageId} of shipping stays: npm run dlq -- list\n`);
  };
};
