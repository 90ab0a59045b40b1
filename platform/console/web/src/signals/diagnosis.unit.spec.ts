import { describe, expect, it } from 'vitest';
import { diagnose, type Edge, type ServiceFigures } from './diagnosis.ts';

const figures = (service: string, errorRatio: number | undefined): ServiceFigures => ({
  service,
  ratePerSecond: errorRatio === undefined ? undefined : 5,
  errorRatio,
});
const call = (from: string, to: string, errorRatio: number): Edge => ({
  from,
  to,
  kind: 'call',
  ratePerSecond: 5,
  errorRatio,
});
const kinds = (services: readonly ServiceFigures[], edges: readonly Edge[]): Record<string, string> =>
  Object.fromEntries([...diagnose(services, edges)].map(([name, { kind }]) => [name, kind]));

describe('the diagnosis', () => {
  it('names the service that fails as the cause, and its caller as its consequence', () => {
    const services = [figures('order', 0.1), figures('product', 0), figures('payment', 0.3)];
    const edges = [call('order', 'product', 0), call('order', 'payment', 0.3)];
    const found = diagnose(services, edges);
    expect(found.get('payment')).toEqual({ kind: 'cause', errorRatio: 0.3 });
    expect(found.get('order')).toEqual({ kind: 'consequence', errorRatio: 0.3, of: ['payment'] });
    expect(found.get('product')).toEqual({ kind: 'well' });
  });

  it('names a caller whose own answers are well, as it makes up for what fails behind it', () => {
    const found = kinds([figures('order', 0), figures('payment', 0.3)], [call('order', 'payment', 0.3)]);
    expect(found).toEqual({ order: 'consequence', payment: 'cause' });
  });

  it('names a service that is away, and so has no figures, by what its callers see', () => {
    const found = kinds([figures('order', 0), figures('payment', undefined)], [call('order', 'payment', 1)]);
    expect(found).toEqual({ order: 'consequence', payment: 'cause' });
  });

  it('follows a chain to its end, and ends in a circle', () => {
    const chain = [figures('a', 0.5), figures('b', 0.5), figures('c', 0.5)];
    expect(diagnose(chain, [call('a', 'b', 0.5), call('b', 'c', 0.5)]).get('a')).toMatchObject({ of: ['c'] });
    expect(diagnose(chain, [call('a', 'b', 0.5), call('b', 'a', 0.5)]).get('a')?.kind).toBe('consequence');
  });

  it('takes a service that fails by itself for a cause, and a handful of errors for no news', () => {
    expect(kinds([figures('order', 0.5)], [])).toEqual({ order: 'cause' });
    expect(kinds([figures('order', 0.01)], [call('order', 'payment', 0.01)])).toEqual({ order: 'well' });
  });
});
