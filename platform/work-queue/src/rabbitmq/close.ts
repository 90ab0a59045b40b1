import type { Channel, ChannelModel } from 'amqplib';

/**
 * Closes a channel or a connection. Never rejects: it may be closed already. amqplib's own promise settles only by the
 * broker's answer, and never once the connection has ended before it; the event comes either way.
 */
export const close = async (part: Channel | ChannelModel): Promise<void> => {
  const gone = Promise.withResolvers<undefined>();
  part.once('close', () => {
    gone.resolve(undefined);
  });
  await Promise.race([part.close(), gone.promise]).catch(() => undefined);
};
