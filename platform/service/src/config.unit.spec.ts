import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { hostPortList, httpOriginList, parseConfig, serviceConfigShape } from './config.ts';

describe('configuration', () => {
  it('names every key that is missing or wrong, and repeats no value', () => {
    const parsed = parseConfig(z.object(serviceConfigShape), {
      HTTP_PORT: 'secret',
      OPS_PORT: '',
      GRPC_PORT: '70000',
    });
    expect(parsed.ok).toBe(false);
    const problems = parsed.ok ? [] : parsed.problems;
    expect(problems.map((problem) => problem.split(':')[0])).toEqual(
      expect.arrayContaining(['HTTP_PORT', 'OPS_PORT', 'GRPC_PORT', 'KAFKA_BOOTSTRAP', 'REGISTRY_URL']),
    );
    expect(problems.join()).not.toContain('secret');
  });

  it.each([
    ['A', '127.0.0.1:1, b.c:2', ['127.0.0.1:1', 'b.c:2']],
    ['B', 'http://a:1,http://b', ['http://a:1', 'http://b']],
    ['A', '127.0.0.1:1,', undefined],
    ['A', '127.0.0.1', undefined],
    ['B', 'http://a:1,b', undefined],
    ['B', 'https://a', undefined],
    ['B', 'http://a/path', undefined],
    ['A', Array.from({ length: 65 }, () => 'a:1').join(), undefined],
  ])('reads the peers %s=%s as %j', (key, value, expected) => {
    const schema = z.object({ [key]: key === 'A' ? hostPortList : httpOriginList });
    const parsed = parseConfig(schema, { [key]: value });
    expect(parsed.ok ? parsed.config[key] : undefined).toEqual(expected);
  });

  it.each([
    [{}, 'as the brokers have it'],
    [{ KAFKA_REPLICATION_FACTOR: '3', KAFKA_MIN_INSYNC_REPLICAS: '2' }, 3],
    [{ KAFKA_MIN_INSYNC_REPLICAS: '2' }, 'as the brokers have it'],
    [{ KAFKA_REPLICATION_FACTOR: '1', KAFKA_MIN_INSYNC_REPLICAS: '2' }, ['KAFKA_MIN_INSYNC_REPLICAS']],
    [{ KAFKA_REPLICATION_FACTOR: '0' }, ['KAFKA_REPLICATION_FACTOR']],
  ])('the copies of a topic that %j asks for: %j', (env, expected) => {
    const parsed = parseConfig(z.object(serviceConfigShape), {
      HTTP_PORT: '1',
      OPS_PORT: '2',
      KAFKA_BOOTSTRAP: 'a:1,b:2',
      REGISTRY_URL: 'http://a',
      ...env,
    });
    const copies = parsed.ok
      ? (parsed.config.KAFKA_REPLICATION_FACTOR ?? 'as the brokers have it')
      : parsed.problems.map((problem) => problem.split(':')[0]);
    expect(copies).toEqual(expected);
  });
});
