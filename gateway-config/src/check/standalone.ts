import { z } from 'zod';

const Item = z.record(z.string(), z.unknown());
export type Item = z.infer<typeof Item>;

/** How an item is named in a finding. */
export const nameOf = ({ id, username }: Item, index: number): string => {
  const name = id ?? username;
  return typeof name === 'string' || typeof name === 'number' ? String(name) : String(index);
};

/** Every collection of the standalone file that may be used, with the name of its schema; plugin metadata has none of its own. */
export const collections = [
  { key: 'upstreams', schema: 'upstream' },
  { key: 'services', schema: 'service' },
  { key: 'consumers', schema: 'consumer' },
  { key: 'consumer_groups', schema: 'consumer_group' },
  { key: 'plugin_configs', schema: 'plugin_config' },
  { key: 'plugin_metadata', schema: undefined },
  { key: 'global_rules', schema: 'global_rule' },
  { key: 'protos', schema: 'proto' },
  { key: 'routes', schema: 'route' },
] as const;

/** `apisix.yaml`. An unknown collection is refused: APISIX would leave it alone without a word. */
export const Standalone = z.strictObject({
  upstreams: z.array(Item).optional(),
  services: z.array(Item).optional(),
  consumers: z.array(Item).optional(),
  consumer_groups: z.array(Item).optional(),
  plugin_configs: z.array(Item).optional(),
  plugin_metadata: z.array(Item).optional(),
  global_rules: z.array(Item).optional(),
  protos: z.array(Item).optional(),
  routes: z.array(Item).optional(),
});
export type Standalone = z.infer<typeof Standalone>;
