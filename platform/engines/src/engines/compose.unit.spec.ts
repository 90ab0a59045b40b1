import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { portsFor } from '../ports.ts';
import { declarations } from './index.ts';
import { kafkaProperties } from './kafka.ts';

const compose = readFileSync(join(import.meta.dirname, '../../compose.yaml'), 'utf8');

const always = declarations.filter(({ presence }) => presence === 'always');

it('compose.yaml runs every engine without which no stack works, in the version that runs natively', () => {
  const tags = new Map(
    [...compose.matchAll(/^ {2}(\w+):\n {4}image: \S+:v?(\S+)$/gm)].map(([, a, b]) => [a, b]),
  );
  expect([...tags.keys()]).toEqual(expect.arrayContaining(always.map(({ name }) => name)));
  for (const { name, version } of always)
    expect(`${name} ${tags.get(name)?.slice(0, version.length)}`).toBe(`${name} ${version}`);
});

it('compose.yaml publishes the ports of the stack at 4000 on the loopback address, and no other', () => {
  const ports = portsFor(4000);
  const published = [...compose.matchAll(/'(\S+?):(\d+):\d+'/g)].map(([, host, port]) => `${host}:${port}`);
  const { rabbitmqAmqp, rabbitmqManagement, rabbitmqPrometheus } = ports;
  const wanted = [
    ports.kafka,
    ports.registry,
    rabbitmqAmqp,
    rabbitmqManagement,
    rabbitmqPrometheus,
    ports.zipkin,
  ];
  expect(published).toEqual(wanted.map((port) => `127.0.0.1:${port}`));
});

it('compose.yaml gives Kafka the settings that the native one has', () => {
  const inside = compose.slice(compose.indexOf('  kafka:'), compose.indexOf('  registry:'));
  const given = new Map(
    [...inside.matchAll(/^ {6}(KAFKA_\w+): '?([^'#\n]+?)'?(?: #.*)?$/gm)].map(([, a, b]) => [a, b]),
  );
  const ownToEach = /listener|quorum|^log\.dirs|threads|dedupe/; // addresses and folders; threads and buffers of a small machine
  const native = kafkaProperties(portsFor(4000), '/data')
    .split('\n')
    .filter((line) => line !== '' && !ownToEach.test(line))
    .map((line) => line.split('='));
  expect(native.length).toBeGreaterThan(15);
  for (const [key = '', value] of native)
    expect(`${key}=${given.get(`KAFKA_${key.toUpperCase().replaceAll('.', '_')}`)}`).toBe(`${key}=${value}`);
});

it('compose.yaml shows the gateway the run folder at its own path, and the bootstrap that the launcher writes there', () => {
  const folder = '${PARLEY_RUN_DIR:-${PWD}/.parley}';
  expect(compose).toContain(`volumes: ['${folder}:${folder}']`);
  expect(compose).toContain(`'${folder}/gateway/envoy.yaml'`);
});
