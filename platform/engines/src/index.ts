export { cacheDir } from './artifacts/cache.ts';
export { type Check, doctor } from './doctor.ts';
export { EngineError, EnvironmentError, IntegrityError } from './errors.ts';
export { killLeftovers } from './leftovers.ts';
export { obtainAll, type ObtainOptions, type ObtainProgress } from './obtain.ts';
export { holderOfPort, isFree, type PortHolder } from './port-holders.ts';
export { type EngineName, engineNames, type Ports, portsFor } from './ports.ts';
export type { Exit } from './process.ts';
export { type Engine, startEngine, type StartOptions } from './start.ts';
