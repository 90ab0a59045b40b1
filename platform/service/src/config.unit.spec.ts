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
});
