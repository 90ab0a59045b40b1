import { ShippingRequested } from '@parley/contracts/queues';
import { deadLetter, done, notYet, type Verdict } from '@parley/delivery';
import { currentContext, runInContext, type Logger } from '@parley/service';
import type { ConsumerOptions, IncomingMessage } from '@parley/work-queue';
import type { ZodType } from 'zod';
import { streamOf, type Dispatch } from '../../application/dispatch.ts';

const Addressed = ShippingRequested.pick({ orderId: true });

const parse = <T>(
  body: Buffer,
  schema: ZodType<T>,
): { readonly request: T } | { readonly problem: string } => {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { problem: 'the body is not JSON' };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { request: parsed.data };
  // By code and not by message: a message may quote what the sender wrote.
  const problems = parsed.error.issues.map(({ path, code }) => `${path.join('.') || 'body'}: ${code}`);
  return { problem: problems.join('; ') };
};

const problemOf = (body: Buffer): string | undefined => {
  const parsed = parse(body, ShippingRequested);
  return 'problem' in parsed ? `not a ShippingRequested: ${parsed.problem}` : undefined;
};

/** As the stream of its shipment is called, whatever else is wrong with the request. */
const subjectOf = (body: Buffer): string | undefined => {
  const parsed = parse(body, Addressed);
  return 'problem' in parsed ? undefined : streamOf(parsed.request.orderId);
};

const handle = async (
  deps: { readonly dispatch: Dispatch; readonly logger: Pick<Logger, 'info' | 'error'> },
  message: IncomingMessage,
): Promise<Verdict> => {
  const { messageId } = message;
  const parsed = parse(message.body, ShippingRequested);
  if ('problem' in parsed) {
    const reason = `not a ShippingRequested: ${parsed.problem}`;
    deps.logger.error({ messageId, reason }, 'a shipping request is dead');
    return deadLetter(reason);
  }
  const { orderId } = parsed.request;
  const { correlationId } = currentContext();
  const outcome = await deps.dispatch(parsed.request, { correlationId });
  if (outcome.kind === 'unconfirmed')
    return notYet(`the shipment of order ${orderId} is not in the log yet: ${outcome.why}`);
  if (outcome.kind === 'refused') {
    const reason = `already dispatched as shipment ${outcome.rejection.shipmentId}`;
    deps.logger.error({ messageId, orderId, reason }, 'a shipping request is dead');
    return deadLetter(reason);
  }
  deps.logger.info({ messageId, orderId, repeated: outcome.repeated }, 'shipment dispatched');
  return done;
};

/**
 * Works on shipping requests. Acknowledges only after the shipment was read back from the log; tries again while the
 * log does not confirm; what can never succeed becomes a dead letter. A malformed correlation id is replaced by a fresh
 * one, in logs and in what is appended.
 */
export const requestConsumer = (
  deps: { readonly dispatch: Dispatch; readonly logger: Pick<Logger, 'info' | 'error'> },
  limits: Required<Pick<ConsumerOptions, 'prefetch' | 'attempts'>>,
): ConsumerOptions => ({
  ...limits,
  letters: { problemOf, subjectOf },
  handle: (message, { signal }) => {
    // Whoever may write to the queue chooses these two. What is no correlation id at the HTTP edge is none here either.
    const correlationId = message.correlationId || message.messageId;
    return runInContext({ correlationId, signal }, () => handle(deps, message));
  },
});
