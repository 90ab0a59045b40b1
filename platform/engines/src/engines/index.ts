import type { Engine } from '../engine.ts';
import type { EngineName } from '../ports.ts';
import { envoy } from './envoy.ts';
import { kafka } from './kafka.ts';
import { rabbitmq } from './rabbitmq.ts';
import { registry } from './registry.ts';
import { zipkin } from './zipkin.ts';

/** Every engine by name. */
export const engines: Readonly<Record<EngineName, Engine>> = { kafka, registry, rabbitmq, zipkin, envoy };
