import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endpointsOf } from '../stack/addresses.ts';
import { removeEndpoints, writeEndpoints } from '../stack/endpoints-file.ts';
import { prometheusConfig } from './prometheus-config.ts';
import { targetsPath } from './targets.ts';

describe('what Prometheus asks', () => {
  let runDir: string;
  beforeEach(async () => {
    runDir = await mkdtemp(join(tmpdir(), 'parley-metrics-'));
  });
  afterEach(() => rm(runDir, { recursive: true, force: true }));

  it('is every instance that endpoints.json lists, by its id, as long as it does', async () => {
    const endpoints = endpointsOf({ portBase: 4000 });
    await writeEndpoints(runDir, endpoints);
    const listed: unknown = JSON.parse(await readFile(targetsPath(runDir), 'utf8'));
    expect(listed).toHaveLength(endpoints.instances.length);
    expect(listed).toContainEqual({
      targets: ['127.0.0.1:4102'],
      labels: {
        instance: 'order-1',
        service_name: 'order',
        service_version: endpoints.instances[0]?.version,
      },
    });
    expect(await readdir(dirname(targetsPath(runDir)))).toEqual(['services.json']);
    await removeEndpoints(runDir);
    expect(existsSync(targetsPath(runDir))).toBe(false);
  });

  it('is every engine of the stack that shows metrics, and no other', () => {
    const engines = ['kafka', 'rabbitmq', 'envoy'] as const;
    const config = JSON.stringify(prometheusConfig({ root: '/', runDir, portBase: 4000, engines }));
    expect(config).toContain('"targets":["127.0.0.1:4174"]');
    expect(config).toContain('"targets":["127.0.0.1:4089"]');
    expect(config).not.toContain('127.0.0.1:4196');
  });
});
