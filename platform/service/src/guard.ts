import type { Metadata } from '@grpc/grpc-js';
import type { MiddlewareHandler } from 'hono';
import { answerWithinMs } from './context.ts';
import type { KitErrorCode } from './errors.ts';
import { GrpcRefusal } from './grpc/refusal.ts';
import type { ProblemDetails, ProblemFunction } from './http/problem.ts';

/** What a guard sees of a request or a call. */
export interface GuardedRequest {
  /** A header or metadata value by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  /** Milliseconds that a guard may take: a refusal after them would come after the deadline. */
  readonly leftMs: number;
}

/** Looks at every request and call before it is handled; undefined lets it through, anything else refuses it. */
export type RequestGuard<Code extends string> = (
  request: GuardedRequest,
) => Promise<(ProblemDetails & { readonly code: Code | KitErrorCode; readonly detail: string }) | undefined>;

/** The place of a guard, in front of all routes and methods, before one is set. */
export interface GuardPlace<Code extends string> {
  /** The last one set counts. */
  readonly set: (guard: RequestGuard<Code>) => void;
  readonly http: MiddlewareHandler;
  /** Throws a GrpcRefusal. */
  readonly grpc: (metadata: Metadata) => Promise<void>;
}

export const guardOf = <Code extends string>(
  problem: ProblemFunction<Code | KitErrorCode>,
): GuardPlace<Code> => {
  let guard: RequestGuard<Code> | undefined;
  return {
    set: (next) => {
      guard = next;
    },
    http: async (c, next) => {
      const refusal = await guard?.({ header: (name) => c.req.header(name), leftMs: answerWithinMs() });
      if (refusal === undefined) return next();
      const { code, ...details } = refusal;
      return problem(c, code, details);
    },
    grpc: async (metadata) => {
      const header = (name: string): string | undefined => metadata.get(name)[0]?.toString();
      const refusal = await guard?.({ header, leftMs: answerWithinMs() });
      if (refusal !== undefined) throw new GrpcRefusal(refusal.code, refusal.detail);
    },
  };
};
