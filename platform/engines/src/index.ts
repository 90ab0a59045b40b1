export { addressesOf, endpointsOfEngines, engineVersions, rowsOfEngines } from './addresses.ts';
export { cacheDir, removeAbandonedBuilds } from './artifacts/cache.ts';
export { obtainBrowser } from './artifacts/chromium.ts';
export { run } from './artifacts/run.ts';
export { type Check, doctor } from './doctor.ts';
export type { TableRow } from './engine.ts';
export { EngineError, EnvironmentError, IntegrityError } from './errors.ts';
export { killLeftovers } from './leftovers.ts';
export { obtainAll, type ObtainOptions, type ObtainProgress } from './obtain.ts';
export { obtainedBefore, type Obtained } from './obtained.ts';
export { claimPortBase, type PortClaim } from './port-claim.ts';
export { holderOfPort, isFree, type PortHolder } from './port-holders.ts';
export {
  engineNamed,
  type EngineName,
  engineNames,
  fetchRefuses,
  portNamesOf,
  type Ports,
  portsFor,
  refusalOfBase,
} from './ports.ts';
export {
  brokerCounts,
  brokersIn,
  defaultEngines,
  needsOf,
  nodesOf,
  selectEngines,
  stopWaves,
  withBrokers,
  wordsFor,
} from './selection.ts';
export { brokersOfData } from './engines/kafka.ts';
export type { Exit } from './process.ts';
export { startCommand, typedCommand } from './typed-command.ts';
export { type Engine, startEngine, startReady, type StartOptions } from './start.ts';
export {
  meshToolsAt,
  meshToolsEntry,
  meshVersions,
  obtainMeshPrerequisites,
  obtainMeshTools,
  type MeshTools,
} from './mesh-tools.ts';
export { envoyBinary } from './engines/envoy.ts';
