export { labPolicy } from './lab-policy.ts';
export { callerNames, MeshPolicy, parsePolicy, type ParsedPolicy, TrafficRule } from './policy.ts';
export { renderMesh } from './render.ts';
export { toYaml, type Resource } from './resources.ts';
export { hostOf, meshNames, spiffeIdOf, type MeshService, type Topology, type Workload } from './topology.ts';
export { createAuthority, type Authority, type KeyPair, type Validity } from './authority.ts';
export {
  capturedMesh,
  MeshFile,
  meshFileOf,
  readMeshFile,
  topologyOf,
  type CapturedMesh,
  type MeshNode,
} from './mesh-file.ts';
