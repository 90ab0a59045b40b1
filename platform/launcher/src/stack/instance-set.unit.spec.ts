import { beforeEach, describe, expect, it } from 'vitest';
import { InstanceSet } from './instance-set.ts';
import { instancesOf } from './instances.ts';
import { oneOfEach } from './scale.ts';

const payments = (...versions: readonly string[]) =>
  instancesOf('payment', { ...oneOfEach, payment: versions }, { portBase: 4000 });

describe('the instances of a service', () => {
  let said: string[];
  let set: InstanceSet;
  beforeEach(() => {
    said = [];
    set = new InstanceSet({
      supervise: ({ id, version }) => {
        const { promise, resolve } = Promise.withResolvers<undefined>();
        return {
          run: async () => {
            said.push(`start ${id} ${version}`);
            await promise;
          },
          reload: () => void said.push(`reload ${id}`),
          stop: () => {
            resolve(undefined);
            return Promise.resolve();
          },
        };
      },
      ended: ({ id }) => void said.push(`gone ${id}`),
    });
  });

  it('become as many as are wanted, and those that stay are left alone', async () => {
    await set.become(payments('dev'));
    await set.become(payments('dev', 'dev', 'v2'));
    await set.become(payments('dev'));
    expect(said).toEqual([
      'start payment-1 dev',
      'start payment-2 dev',
      'start payment-3 v2',
      'gone payment-2',
      'gone payment-3',
    ]);
  });

  it('are replaced when their version changes, the old one gone before the new one starts', async () => {
    await set.become(payments('dev', 'v2'));
    said = [];
    await set.become(payments('dev', 'v3'));
    expect(said).toEqual(['gone payment-2', 'start payment-2 v3']);
  });

  it('reload together, and are all gone when stop resolves', async () => {
    await set.become(payments('dev', 'dev'));
    said = [];
    set.reload();
    await set.stop();
    await set.become(payments('dev', 'dev', 'dev'));
    expect(said).toEqual(['reload payment-1', 'reload payment-2', 'gone payment-1', 'gone payment-2']);
  });
});
