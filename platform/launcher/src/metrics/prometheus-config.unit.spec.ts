import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endpointsOf } from '../stack/addresses.ts';
import { removeEndpoints, writeEndpoints } from '../stack/endpoints-file.ts';
import { prometheusConfig } from './prometheus-config.ts';
import { registeredPath, targetsPath, writeRegisteredTargets } from './targets.ts';

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

  it('is every instance that the registry lists, besides, but not what only routes', async () => {
    const endpoints = endpointsOf({ portBase: 4000 });
    const [known] = endpoints.instances;
    if (known === undefined) throw new Error('a stack has instances');
    await writeEndpoints(runDir, endpoints);
    const stranger = { ...known, id: 'order-of-mine', ports: { http: 9000, ops: 9002 } };
    const gateway = { ...known, service: 'gateway', id: 'gateway-1', ports: { http: 4080 } };
    await writeRegisteredTargets(runDir, [known, stranger, gateway]);
    const registered = JSON.parse(await readFile(registeredPath(runDir), 'utf8')) as { targets: string[] }[];
    const launched = JSON.parse(await readFile(targetsPath(runDir), 'utf8')) as object[];
    expect(registered.map(({ targets }) => targets)).toEqual([['127.0.0.1:4102'], ['127.0.0.1:9002']]);
    expect(launched).toContainEqual(registered[0]); // the same labels: Prometheus asks it once
    const config = JSON.stringify(prometheusConfig({ root: '/', runDir, portBase: 4000 }));
    expect(config).toContain(registeredPath(runDir));
    await removeEndpoints(runDir);
    expect(existsSync(registeredPath(runDir))).toBe(false);
  });

  it('is every engine of the stack that shows metrics, and no other', () => {
    const engines = ['kafka', 'rabbitmq', 'envoy'] as const;
    const config = JSON.stringify(prometheusConfig({ root: '/', runDir, portBase: 4000, engines }));
    expect(config).toContain('"targets":["127.0.0.1:4174"]');
    expect(config).toContain('"targets":["127.0.0.1:4089"]');
    expect(config).not.toContain('127.0.0.1:4196');
  });
});
