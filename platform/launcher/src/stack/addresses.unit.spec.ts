import { Endpoints, serviceNames } from '@parley/contracts/endpoints';
import { selectEngines } from '@parley/engines';
import { describe, expect, it } from 'vitest';
import { endpointsOf, serviceEnv } from './addresses.ts';

const stack = { portBase: 4000, runDir: '/run-folder' };

describe('the addresses of a stack', () => {
  it('are valid endpoints, all different, and move with the port base', () => {
    const endpoints = Endpoints.parse(endpointsOf(stack));
    expect(endpoints.gateway.url).toBe('http://127.0.0.1:4080');
    expect(endpoints.order).toEqual({
      http: 'http://127.0.0.1:4100',
      ops: 'http://127.0.0.1:4102',
      grpc: '127.0.0.1:4101',
    });
    const ports = JSON.stringify(endpoints).match(/(?<=127\.0\.0\.1:)\d+/g) ?? [];
    expect(new Set(ports).size).toBe(ports.length - 1); // traces.ui and traces.api are one server
    expect(JSON.stringify(endpointsOf({ portBase: 24_000 }))).not.toContain(':4');
  });

  it('give order the addresses of its peers', () => {
    expect(serviceEnv('order', stack)).toMatchObject({
      HTTP_PORT: '4100',
      GRPC_PORT: '4101',
      OPS_PORT: '4102',
      PRODUCT_GRPC: '127.0.0.1:4111',
      PAYMENT_URL: 'http://127.0.0.1:4120',
      KAFKA_BOOTSTRAP: '127.0.0.1:4192',
      REGISTRY_URL: 'http://127.0.0.1:4181/apis/ccompat/v7',
      ZIPKIN_URL: 'http://127.0.0.1:4194',
      EUREKA_URL: 'http://127.0.0.1:4195/eureka',
      SNAPSHOT_DIR: '/run-folder/snapshots/order',
    });
  });

  it('are those of the engines that the stack has', () => {
    const without = { ...stack, engines: selectEngines(['-eureka']) };
    expect(endpointsOf(stack).discovery).toEqual({ url: 'http://127.0.0.1:4195/eureka' });
    expect(endpointsOf(without).discovery).toBeUndefined();
    expect(serviceEnv('order', without)).not.toHaveProperty('EUREKA_URL');
  });

  it('give the work queue to the two services at its ends only', () => {
    const holders = serviceNames.filter((name) => 'RABBITMQ_URL' in serviceEnv(name, stack));
    expect(holders).toEqual(['notification', 'shipping']);
  });
});
