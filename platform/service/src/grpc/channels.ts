import { Client, credentials } from '@grpc/grpc-js';
import type { Target } from '../discovery/balancer.ts';

interface Channel {
  readonly client: Client;
  calls: number;
  /** Its instance has left: closed with its last call. */
  leaving: boolean;
}

const open = ({ host, port }: Target): Client =>
  new Client(`${host}:${port}`, credentials.createInsecure(), {
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 2_000,
    'grpc.service_config_disable_resolution': 1,
    // Each channel has connections of its own, which end with it.
    'grpc.use_local_subchannel_pool': 1,
  });

/** One channel for each target. There are at most as many as there are targets, and those that end their last calls. */
export class Channels {
  readonly #channels = new Map<Target, Channel>();
  #kept: readonly Target[] = [];

  /** Runs a call on the channel of the target, which stays open at least until it has ended. */
  async use<T>(target: Target, call: (client: Client) => Promise<T>): Promise<T> {
    let channel = this.#channels.get(target);
    if (channel === undefined) {
      channel = { client: open(target), calls: 0, leaving: false };
      this.#channels.set(target, channel);
    }
    channel.calls += 1;
    try {
      return await call(channel.client);
    } finally {
      channel.calls -= 1;
      if (channel.leaving && channel.calls === 0) channel.client.close();
    }
  }

  /** Closes the channels of all others, each once its calls have ended. */
  keepOnly(targets: readonly Target[]): void {
    if (targets === this.#kept) return;
    this.#kept = targets;
    const kept = new Set(targets);
    for (const [target, channel] of this.#channels) {
      if (kept.has(target)) continue;
      this.#channels.delete(target);
      channel.leaving = true;
      if (channel.calls === 0) channel.client.close();
    }
  }

  /** How many are open for calls. */
  get size(): number {
    return this.#channels.size;
  }

  /** Closes all of them now. */
  close(): void {
    for (const { client } of this.#channels.values()) client.close();
    this.#channels.clear();
  }
}
