import { consoleServer } from './console.ts';
import { envoy } from './envoy.ts';
import { eureka } from './eureka.ts';
import { kafka, kafka2, kafka3 } from './kafka.ts';
import { prometheus } from './prometheus.ts';
import { rabbitmq } from './rabbitmq.ts';
import { registry } from './registry.ts';
import { victoriaLogs } from './victoria-logs.ts';
import { zipkin } from './zipkin.ts';

/** Every engine, each after those that it needs. A new one is a file beside these and a word here. */
export const declarations = [
  consoleServer,
  kafka,
  kafka2,
  kafka3,
  registry,
  rabbitmq,
  zipkin,
  eureka,
  victoriaLogs,
  prometheus,
  envoy,
] as const;
