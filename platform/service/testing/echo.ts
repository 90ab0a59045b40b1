import { Buffer } from 'node:buffer';

/** A message of the smallest gRPC service. */
export interface Text {
  readonly text: string;
}
export const serialize = (value: Text): Buffer => Buffer.from(JSON.stringify(value));
export const deserialize = (bytes: Buffer): Text => JSON.parse(bytes.toString('utf8')) as Text;

/** The smallest gRPC service: one method, JSON instead of protobuf. */
export const echo = {
  say: {
    path: '/kit.Echo/Say',
    requestStream: false,
    responseStream: false,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  },
} as const;
