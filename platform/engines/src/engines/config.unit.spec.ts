import { describe, expect, it } from 'vitest';
import { addressesOf } from '../addresses.ts';
import { portsFor } from '../ports.ts';
import { kafkaProperties } from './kafka.ts';
import { rabbitmqConf, rabbitmqEnv } from './rabbitmq.ts';
import { registryEnv } from './registry.ts';

const ports = portsFor(4000);

describe('configuration of the engines', () => {
  it('Kafka listens on the loopback address only, never expires events and never makes a topic by itself', () => {
    const lines = kafkaProperties(ports, '/data').split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'listeners=PLAINTEXT://127.0.0.1:4192,CONTROLLER://127.0.0.1:4193',
        'log.retention.ms=-1',
        'auto.create.topics.enable=false',
        'num.partitions=1',
        'broker.session.timeout.ms=2000',
      ]),
    );
  });

  it('each of three brokers knows the other two, keeps a copy of everything and needs one other to take a record', () => {
    const voters = 'controller.quorum.voters=1@127.0.0.1:4193,2@127.0.0.1:4187,3@127.0.0.1:4189';
    const listeners = ['4192,CONTROLLER://127.0.0.1:4193', '4186,CONTROLLER://127.0.0.1:4187'];
    for (const [at, own] of listeners.entries())
      expect(kafkaProperties(ports, '/data', { node: at + 1, brokers: 3 }).split('\n')).toEqual(
        expect.arrayContaining([
          `node.id=${at + 1}`,
          voters,
          `listeners=PLAINTEXT://127.0.0.1:${own}`,
          'default.replication.factor=3',
          'offsets.topic.replication.factor=3',
          'min.insync.replicas=2',
          'transaction.state.log.min.isr=2',
        ]),
      );
    const { serviceEnv } = addressesOf('kafka', 4000, ['kafka', 'kafka-2', 'kafka-3']);
    expect(serviceEnv).toEqual({
      KAFKA_BOOTSTRAP: '127.0.0.1:4192,127.0.0.1:4186,127.0.0.1:4188',
      KAFKA_REPLICATION_FACTOR: '3',
      KAFKA_MIN_INSYNC_REPLICAS: '2',
    });
  });

  it('the registry keeps its state in the Kafka of its own stack', () => {
    expect(registryEnv(ports)).toMatchObject({
      APICURIO_STORAGE_KIND: 'kafkasql',
      APICURIO_KAFKASQL_BOOTSTRAP_SERVERS: '127.0.0.1:4192',
    });
  });

  it('RabbitMQ puts every file under its own folder and has its own epmd', () => {
    const env = rabbitmqEnv(ports, '/run/rabbitmq');
    const paths = Object.values(env).filter((value) => value.startsWith('/'));
    expect(paths.filter((path) => !path.startsWith('/run/rabbitmq/'))).toEqual([]);
    expect(env).toMatchObject({ ERL_EPMD_PORT: '4176', ERL_EPMD_ADDRESS: '127.0.0.1' });
    expect(env).toMatchObject({ RABBITMQ_LOGS: '-' }); // in the log of the stack, which is shown when it dies
    expect(rabbitmqConf(ports)).toContain('listeners.tcp.1 = 127.0.0.1:4172');
  });
});
