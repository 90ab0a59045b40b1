/* What benchmarks and other tools use of the launcher: a stack of their own, and the flow through it. */
export type { Output } from './cli/output.ts';
export { commandsOn } from './commands/index.ts';
export { runFlow, type FlowOptions, type FlowResult, type FlowStep } from './flow/flow.ts';
export { applyPolicy } from './mesh/apply.ts';
export { startMesh, type Mesh, type MeshOptions } from './mesh/mesh.ts';
export type { StackContext } from './stack/context.ts';
export type { Check, EngineHost, MintToken, RunningEngine } from './stack/engine-host.ts';
export { engineHostWith } from './stack/engines.ts';
export { rendererOf } from './stack/engine-configs.ts';
export { mintTokenIn } from './stack/gateway.ts';
export { startStack, type Stack, type StackOptions } from './stack/stack.ts';
export { withOwnStack, type OwnStackOptions } from './suite/own-stack.ts';
