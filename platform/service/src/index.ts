export {
  baseUrl,
  hostPort,
  hostPortList,
  httpOriginList,
  loadConfig,
  parseConfig,
  portNumber,
  serviceConfigShape,
  type ServiceConfig,
} from './config.ts';
export {
  answerWithinMs,
  currentContext,
  currentTraceparent,
  runInContext,
  type RequestContext,
} from './context.ts';
export { messageOf, type ErrorCatalog, type ErrorDefinition, type KitErrorCode } from './errors.ts';
export type { Instance, Resolve } from './discovery/instance.ts';
export { grpcInstances, httpInstances, staticResolve } from './discovery/static.ts';
export type { GuardedRequest, RequestGuard } from './guard.ts';
export { createGrpcClient, type GrpcClient } from './grpc/client.ts';
export { GrpcRefusal, type GrpcAnswer } from './grpc/refusal.ts';
export type { GrpcCall, GrpcImplementation } from './grpc/server.ts';
export type { ProblemDetails } from './http/problem.ts';
export type { Logger } from './logging.ts';
export { counterOf, histogramOf, observeCount } from './telemetry/instruments.ts';
export { startLoop } from './loop.ts';
export type { OpsRoute } from './ops.ts';
export type { BreakerChange, BreakerState } from './policy/breaker.ts';
export { CallFailure, PolicyError, type PolicyReason } from './policy/failure.ts';
export { createPolicy, type Policy, type PolicyStatus } from './policy/policy.ts';
export type { PolicyDefaults, PolicySettings } from './policy/settings.ts';
export { createRestClient, type RestAnswer, type RestClient } from './rest-client.ts';
export { createService, type Service, type ServiceOptions } from './service.ts';
