export {
  createAuthority,
  openAuthority,
  type Authority,
  type KeyPair,
  type Validity,
} from '../src/authority.ts';
export { labPolicy } from '../src/lab-policy.ts';
export { capturedMesh, readMeshFile, type CapturedMesh, type MeshFile } from '../src/mesh-file.ts';
export type { MeshPolicy, TrafficRule } from '../src/policy.ts';
export { hostOf, meshNames, spiffeIdOf } from '../src/topology.ts';
export { topologyOf } from '../src/mesh-file.ts';
export { renderMesh } from '../src/render.ts';
export { toYaml } from '../src/resources.ts';
