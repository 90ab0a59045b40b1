/** Copies of what is published to an exchange, through RabbitMQ's management API: nothing is taken from any queue. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { rabbitmqAuthorization } from '@parley/engines/rabbitmq-account';
import { z } from 'zod';
import type { RecordedMessage } from '../capsule.ts';

const REQUEST_DEADLINE_MS = 10_000;
const DRAIN_DEADLINE_MS = 30_000;
const POLL_MS = 250;
/** The queue forgets itself, should the recorder be killed. */
const UNUSED_EXPIRES_MS = 600_000;

const Messages = z.array(
  z.object({
    exchange: z.string(),
    routing_key: z.string(),
    properties: z.record(z.string(), z.unknown()),
    payload: z.string(),
    payload_encoding: z.enum(['string', 'base64']),
  }),
);

export interface Tap {
  /** Takes the copies made so far, at least `count` of them within the deadline, and removes the tap. */
  drain(count: number): Promise<readonly RecordedMessage[]>;
  /** Removes the tap. Idempotent. */
  close(): Promise<void>;
}

/** @param management base URL; without credentials as basic authentication, the development account's. */
export async function openTap(
  management: string,
  { exchange, routingKey }: { readonly exchange: string; readonly routingKey: string },
): Promise<Tap> {
  const base = new URL(management);
  const authorization =
    base.username === ''
      ? rabbitmqAuthorization
      : `Basic ${Buffer.from(`${base.username}:${base.password}`).toString('base64')}`;
  const queue = `parley.tap.${randomUUID()}`;
  const call = async (method: string, path: string, body?: object): Promise<Response> => {
    const response = await fetch(`${base.origin}/api/${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    });
    if (!response.ok) throw new Error(`RabbitMQ answered ${response.status} to ${method} ${path}`);
    return response;
  };
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await call('DELETE', `queues/%2F/${queue}`);
  };
  const get = async (): Promise<readonly RecordedMessage[]> => {
    const response = await call('POST', `queues/%2F/${queue}/get`, {
      count: 500,
      ackmode: 'ack_requeue_false',
      encoding: 'base64',
    });
    return Messages.parse(await response.json()).map((message) => ({
      exchange: message.exchange,
      routingKey: message.routing_key,
      properties: message.properties,
      bodyBase64:
        message.payload_encoding === 'base64'
          ? message.payload
          : Buffer.from(message.payload).toString('base64'),
    }));
  };
  await call('PUT', `queues/%2F/${queue}`, {
    durable: true,
    auto_delete: false,
    arguments: { 'x-expires': UNUSED_EXPIRES_MS },
  });
  await call('POST', `bindings/%2F/e/${exchange}/q/${queue}`, { routing_key: routingKey });
  return {
    close,
    drain: async (count) => {
      const endAtMs = performance.now() + DRAIN_DEADLINE_MS;
      const found: RecordedMessage[] = [];
      for (;;) {
        found.push(...(await get()));
        if (found.length >= count || performance.now() > endAtMs) break;
        await pause(POLL_MS);
      }
      await close();
      if (found.length < count)
        throw new Error(`${found.length} of ${count} messages were seen on ${exchange}`);
      return found;
    },
  };
}
