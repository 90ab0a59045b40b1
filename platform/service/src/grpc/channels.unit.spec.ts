import { connectivityState } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import type { Target } from '../discovery/balancer.ts';
import { Channels } from './channels.ts';

const target = (port: number): Target => ({
  instance: { service: 'kit', id: String(port), version: '1', host: '127.0.0.1', ports: { grpc: port } },
  host: '127.0.0.1',
  port,
});

it('the channel of an instance that left is closed when its last call has ended, not before', async () => {
  const channels = new Channels();
  const [leaving, staying] = [target(1), target(2)];
  const release = Promise.withResolvers<undefined>();
  const stateOf = (which: Target) =>
    channels.use(which, (client) => Promise.resolve(client.getChannel().getConnectivityState(false)));
  let channel: { getConnectivityState: (connect: boolean) => connectivityState } | undefined;
  const call = channels.use(leaving, async (client) => {
    channel = client.getChannel();
    await release.promise;
  });
  await stateOf(staying);
  expect(channels.size).toBe(2);
  channels.keepOnly([staying]);
  expect(channels.size).toBe(1);
  expect(channel?.getConnectivityState(false)).toBe(connectivityState.IDLE);
  release.resolve(undefined);
  await call;
  expect(channel?.getConnectivityState(false)).toBe(connectivityState.SHUTDOWN);
  expect(await stateOf(staying)).toBe(connectivityState.IDLE);
  channels.close();
  expect(channels.size).toBe(0);
});
