import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { cached } from '../artifacts/cache.ts';
import { javaEntry, javaRuntime } from '../artifacts/pypi.ts';
import { portsFor } from '../ports.ts';
import { brokersOfData, kafka, kafka2, kafkaProperties } from './kafka.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-kafka-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

it('its state is made without the flags that the environment has for every Java', async () => {
  const [root, seen] = [join(folder, 'cache'), join(folder, 'seen')];
  vi.stubEnv('PARLEY_CACHE_DIR', root);
  const variables = ['JAVA_TOOL_OPTIONS', 'JDK_JAVA_OPTIONS', '_JAVA_OPTIONS'];
  for (const name of variables) vi.stubEnv(name, '-Xmx1m');
  await cached({ root, name: kafka.cacheEntry ?? '', build: () => Promise.resolve() });
  const build = (entry: string): Promise<void> => {
    const java = join(entry, javaRuntime.path);
    mkdirSync(dirname(java), { recursive: true });
    writeFileSync(
      java,
      `#!/bin/sh\necho "${variables.map((name) => `$${name}`).join(',')} $PARLEY_SUPERVISED $PARLEY_ENGINE $*" > '${seen}'\n`,
    );
    chmodSync(java, 0o755);
    return Promise.resolve();
  };
  await cached({ root, name: javaEntry, build });
  await kafka.prepare({ runDir: folder, ports: portsFor(4000) });
  const said = readFileSync(seen, 'utf8');
  expect(said).toMatch(/^,, .+ kafka\.tools\.StorageTool format /);
  expect(said).toContain(` ${folder} kafka `); // by these it is found when its launcher was killed
});

it('data of three brokers is started with three only, whichever node has it', async () => {
  expect(brokersOfData(folder)).toBeUndefined();
  const ports = portsFor(4000);
  mkdirSync(join(folder, 'kafka-2', 'data'), { recursive: true });
  writeFileSync(join(folder, 'kafka-2', 'data', 'meta.properties'), '');
  writeFileSync(
    join(folder, 'kafka-2', 'server.properties'),
    kafkaProperties(ports, 'data', { node: 2, brokers: 3 }),
  );
  expect(brokersOfData(folder)).toBe(3);
  const refusal = /that of 3 Kafka brokers, not of 1. Type: --brokers 3/;
  for (const node of [kafka, kafka2])
    await expect(node.prepare({ runDir: folder, ports })).rejects.toThrow(refusal);
});
