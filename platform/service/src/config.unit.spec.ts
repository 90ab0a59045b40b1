import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseConfig, serviceConfigShape } from './config.ts';

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
});
