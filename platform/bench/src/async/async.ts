/** `bench async`: what lies between the brokers: how long it takes, and what publishing and reacting cost above the bare clients. */
import { startTestEngines, type TestEngines } from '@parley/engines/testing';
import { untilAborted, type BenchContext } from '../context.ts';
import { describeLimit, limitOf, type Limit, type LimitResult } from '../limit.ts';
import type { ClaimResult } from '../pairs.ts';
import { benchConfirms } from './confirms.ts';
import { kafkaLatencies, rabbitmqLatencies } from './latency.ts';
import { benchReaction } from './reaction.ts';

const p99: Limit = { quantile: 0.99, unit: 'ms', atMost: 50 };
const slowest: Limit = { quantile: 1, unit: 'ms', atMost: 5000 };

async function measure(
  engines: TestEngines,
  context: BenchContext,
): Promise<readonly (LimitResult | ClaimResult)[]> {
  const { print, signal } = context;
  const limits = (title: string, samples: readonly number[]): LimitResult[] =>
    [p99, slowest].map((limit) => {
      const result = limitOf(title, [samples], limit);
      print(describeLimit(result));
      return result;
    });
  print('1,000 events at 50/s through each broker');
  const kafka = limits('Kafka, publish until consumed', await kafkaLatencies(engines, signal));
  const { confirmed, acknowledged } = await rabbitmqLatencies(engines.amqpUrl, signal);
  const rabbitmq = [
    ...limits('RabbitMQ, publish until the broker confirms', confirmed),
    ...limits('RabbitMQ, publish until the consumer acknowledges', acknowledged),
  ];
  const confirms = await benchConfirms(engines.amqpUrl, context);
  return [...kafka, ...rabbitmq, confirms, await benchReaction(engines, context)];
}

/** Starts engines of its own, measures, stops them. */
export async function benchAsync(context: BenchContext): Promise<readonly (LimitResult | ClaimResult)[]> {
  context.print('starting Kafka, the registry and RabbitMQ');
  const engines = await startTestEngines({ only: ['kafka', 'registry', 'rabbitmq'] });
  try {
    return await untilAborted(context.signal, measure(engines, context));
  } finally {
    await engines.stop();
  }
}
