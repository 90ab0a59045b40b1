import { z } from 'zod';
import { ask } from './client.ts';
import type { StackUnderTest } from './stack.ts';

const Vector = z.object({
  status: z.literal('success'),
  data: z.object({
    resultType: z.literal('vector'),
    result: z.array(
      z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) }),
    ),
  }),
});

/** One series of an answer: its labels and its value now. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Base URL of the stack's Prometheus. Throws when the stack does without. */
export const prometheusOf = ({ endpoints }: StackUnderTest): string => {
  if (endpoints.metrics === undefined) throw new Error('this stack has no Prometheus');
  return endpoints.metrics.url;
};

/** What a PromQL expression is now. */
export const queryNow = async (stack: StackUnderTest, expression: string): Promise<Sample[]> => {
  const { body } = await ask(
    `${prometheusOf(stack)}/api/v1/query?${new URLSearchParams({ query: expression }).toString()}`,
  );
  return Vector.parse(body).data.result.map(({ metric, value: [, value] }) => ({
    labels: metric,
    value: Number(value),
  }));
};

/** The same by service; a service without a series is not in it. */
export const queryByService = async (
  stack: StackUnderTest,
  expression: string,
): Promise<ReadonlyMap<string, number>> =>
  new Map((await queryNow(stack, expression)).map(({ labels, value }) => [labels.service_name ?? '', value]));
