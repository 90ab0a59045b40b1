import { Endpoints, serviceNames, type ServiceName } from '@parley/contracts/endpoints';
import { endpointsOfEngines, engineNamed, engineNames, selectEngines } from '@parley/engines';
import { describe, expect, it } from 'vitest';
import { endpointsOf, serviceEnv } from './addresses.ts';
import { instancesOf } from './instances.ts';
import { changeScale, instancesMax, oneOfEach, type Scale } from './scale.ts';

const stack = { portBase: 4000, runDir: '/run-folder' };
const several = changeScale(oneOfEach, `order=2,product=3,payment=${instancesMax}`, 'v2');

/** Of the last instance of a service. */
const envOf = (service: ServiceName, scale: Scale = oneOfEach): Record<string, string> => {
  const last = instancesOf(service, scale, stack).at(-1);
  return last === undefined ? {} : serviceEnv(last, stack, scale);
};

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
    expect(new Set(ports).size).toBe(ports.length - 2); // traces.ui and traces.api are one server, as are logs.url and logs.ui
    expect(JSON.stringify(endpointsOf({ portBase: 24_000 }))).not.toContain(':4');
  });

  it('give order the addresses of its peers', () => {
    expect(envOf('order')).toMatchObject({
      HTTP_PORT: '4100',
      GRPC_PORT: '4101',
      OPS_PORT: '4102',
      PRODUCT_GRPC: '127.0.0.1:4111',
      PAYMENT_URL: 'http://127.0.0.1:4120',
      KAFKA_BOOTSTRAP: '127.0.0.1:4192',
      REGISTRY_URL: 'http://127.0.0.1:4181/apis/ccompat/v7',
      ZIPKIN_URL: 'http://127.0.0.1:4194',
      EUREKA_URL: 'http://127.0.0.1:4195/eureka',
      SNAPSHOT_DIR: '/run-folder/snapshots/order-1',
      INSTANCE_ID: 'order-1',
      INSTANCE_VERSION: 'dev',
      PARLEY_FAULTS: 'on',
    });
  });

  it('are those of the engines that the stack has', () => {
    const without = { ...stack, engines: selectEngines(['-eureka']) };
    expect(endpointsOf(stack).discovery).toEqual({ url: 'http://127.0.0.1:4195/eureka' });
    expect(endpointsOf(without).discovery).toBeUndefined();
    const [order] = instancesOf('order', oneOfEach, without);
    expect(order === undefined ? order : serviceEnv(order, without)).not.toHaveProperty('EUREKA_URL');
  });

  it('are a part of the contract, whichever engine declares them: what Endpoints does not know would be left out', () => {
    expect(endpointsOf({ ...stack, engines: engineNames })).toMatchObject(
      endpointsOfEngines(engineNames, stack.portBase),
    );
  });

  it('are told to services that there are', () => {
    const users = engineNames.flatMap((name) => engineNamed(name).users ?? []);
    expect(serviceNames).toEqual(expect.arrayContaining(users));
  });

  it('give the work queue to the two services at its ends only', () => {
    const holders = serviceNames.filter((name) => 'RABBITMQ_URL' in envOf(name));
    expect(holders).toEqual(['notification', 'shipping']);
  });

  it('list every instance, and the first of each is where it would be alone', () => {
    const endpoints = Endpoints.parse(endpointsOf(stack, several));
    expect(endpoints.instances.map(({ id }) => id)).toEqual([
      ...['order-1', 'order-2', 'product-1', 'product-2', 'product-3'],
      ...Array.from({ length: instancesMax }, (_, at) => `payment-${at + 1}`),
      ...['notification-1', 'shipping-1'],
    ]);
    expect(endpoints.instances[2]).toEqual({
      service: 'product',
      id: 'product-1',
      version: 'dev',
      host: '127.0.0.1',
      ports: { http: 4110, ops: 4112, grpc: 4111 },
    });
    expect({ ...endpoints, instances: [] }).toEqual({ ...endpointsOf(stack), instances: [] });
  });

  it('give an instance ports, state and a version of its own, and all instances of its peers', () => {
    expect(envOf('order', several)).toMatchObject({
      HTTP_PORT: '4400',
      PRODUCT_GRPC: '127.0.0.1:4111,127.0.0.1:4411,127.0.0.1:4461',
      PAYMENT_URL: expect.stringMatching(/^http:\/\/127.0.0.1:4120,http:\/\/127.0.0.1:4420,/) as string,
      SNAPSHOT_DIR: '/run-folder/snapshots/order-2',
      INSTANCE_ID: 'order-2',
      INSTANCE_VERSION: 'v2',
    });
  });
});
