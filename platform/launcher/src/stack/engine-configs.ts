import type { EngineName } from '@parley/engines';
import { writePrometheusConfig } from '../metrics/prometheus-config.ts';
import type { StackContext } from './context.ts';
import { writeConsoleConfig } from './console.ts';
import { writeEnvoyConfig } from './gateway.ts';

/** Writes the configuration of an engine for a stack and answers the path of the file. */
export type ConfigRenderer = (context: StackContext) => Promise<string>;

/** Engines whose declaration says that a stack configures them, each with who does. */
const renderers: Readonly<Partial<Record<EngineName, ConfigRenderer>>> = {
  console: writeConsoleConfig,
  envoy: writeEnvoyConfig,
  prometheus: writePrometheusConfig,
};

/** Who renders the configuration of an engine; undefined for one that needs nothing of the stack but its ports. */
export const rendererOf = (name: EngineName): ConfigRenderer | undefined => renderers[name];
