import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';

/** Longer than the gateway lets any call last. */
const callTimeoutMs = 120_000;

/** The metadata of a call; those that are absent are not sent. */
export interface CallOptions {
  readonly authorization?: string;
  readonly correlationId?: string;
  /** As gRPC writes it, such as `1m`. Whoever is called ends the call by it, not the client. */
  readonly grpcTimeout?: string;
}

/** A client of gRPC through a gateway. */
export interface GrpcCaller {
  /** Rejects with grpc-js's ServiceError. */
  readonly call: <Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    options: CallOptions,
  ) => Promise<Response>;
  readonly close: () => void;
}

/** Connects with the first call. */
export const grpcCaller = (url: string): GrpcCaller => {
  const client = new Client(new URL(url).host, credentials.createInsecure());
  return {
    call: (method, request, { authorization, correlationId, grpcTimeout }) => {
      const metadata = new Metadata();
      // Without a deadline of its own, which would answer for the gateway, the client only says how long it waits.
      if (grpcTimeout !== undefined) metadata.set('grpc-timeout', grpcTimeout);
      if (authorization !== undefined) metadata.set('authorization', authorization);
      if (correlationId !== undefined) metadata.set('x-correlation-id', correlationId);
      const { path, requestSerialize, responseDeserialize } = method;
      return new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          metadata,
          grpcTimeout === undefined ? { deadline: Date.now() + callTimeoutMs } : {},
          (error, response) => {
            if (error === null && response !== undefined) resolve(response);
            else reject(error ?? new Error('neither an answer nor an error'));
          },
        );
      });
    },
    close: () => {
      client.close();
    },
  };
};
