import { grpcInstances, httpInstances, type Instance, type Service } from '@parley/service';
import type { Payments, Products } from '../../application/ports.ts';
import { policyDefaults, type OrderConfig } from '../../config.ts';
import { restPayments } from './payment.ts';
import { grpcProducts } from './product.ts';

/** The instances of the peers that the configuration lists, for a stack without a registry. */
export const peersIn = (config: Pick<OrderConfig, 'PRODUCT_GRPC' | 'PAYMENT_URL'>): readonly Instance[] => [
  ...grpcInstances('product', config.PRODUCT_GRPC),
  ...httpInstances('payment', config.PAYMENT_URL),
];

/** What the order service calls, each under its policy, at the instances that the service knows at the time. */
export const openPeers = (service: Service): { readonly products: Products; readonly payments: Payments } => {
  const products = grpcProducts(service.resolve, service.policy('product', policyDefaults.product));
  const payments = restPayments(service.resolve, service.policy('payment', policyDefaults.payment));
  service.onStop('clients', () => {
    products.close();
  });
  return { products, payments };
};
