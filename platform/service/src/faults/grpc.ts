import { Metadata, status } from '@grpc/grpc-js';
import { aborted } from './aborted.ts';
import type { Befallen } from './injector.ts';

const counterparts: Readonly<Record<number, status>> = {
  400: status.INVALID_ARGUMENT,
  401: status.UNAUTHENTICATED,
  403: status.PERMISSION_DENIED,
  404: status.NOT_FOUND,
  409: status.ABORTED,
  429: status.RESOURCE_EXHAUSTED,
  500: status.INTERNAL,
  503: status.UNAVAILABLE,
  504: status.DEADLINE_EXCEEDED,
};

/** Thrown in place of an answer: a status without a code, as whatever is between two services would send it. */
export class InjectedStatus extends Error {
  override readonly name = 'InjectedStatus';
  readonly status: { readonly code: status; readonly details: string; readonly metadata: Metadata };

  constructor(httpStatus: number) {
    super('a fault on purpose');
    const code = counterparts[httpStatus] ?? status.UNKNOWN;
    this.status = { code, details: this.message, metadata: new Metadata() };
  }
}

/** Lets a fault befall a call, before anything looks at it: throws an InjectedStatus for one that fails. */
export const grpcFault = async (befallen: Befallen, signal: AbortSignal): Promise<void> => {
  switch (befallen.kind) {
    case 'none':
      return;
    case 'error':
      throw new InjectedStatus(befallen.status);
    case 'hang':
    case 'reset': // is made of the stream, before a call
      await aborted(signal);
      throw new InjectedStatus(504);
  }
};
