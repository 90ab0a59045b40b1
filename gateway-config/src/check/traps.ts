import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { collections, nameOf, type Item, type Standalone } from './standalone.ts';

/** The two files as text, and the first as data. */
export interface ApisixFiles {
  readonly text: string;
  readonly file: Standalone;
  readonly config: string;
}

const Config = z.looseObject({ plugins: z.array(z.string()) });
const Plugin = z.looseObject({
  rejected_code: z.int().optional(),
  policy: z.string().optional(),
  claims_to_verify: z.array(z.string()).optional(),
  phase: z.string().optional(),
  vars: z.unknown().optional(),
  abort: z.looseObject({ http_status: z.int() }).optional(),
});
type Plugin = z.infer<typeof Plugin>;
const Plugins = z.record(z.string(), Plugin);

const itemsOf = (file: Standalone): readonly { readonly where: string; readonly item: Item }[] =>
  collections.flatMap(({ key }) =>
    (file[key] ?? []).map((item, index) => ({
      where: `${key}[${nameOf(item, index)}]`,
      item,
    })),
  );

const pluginsOf = (item: Item): readonly (readonly [string, Plugin])[] =>
  Object.entries(Plugins.safeParse(item.plugins).data ?? {});

/** APISIX looks for the end in the last ten bytes and keeps its old configuration without it. */
const end = ({ text }: ApisixFiles): readonly string[] =>
  text.slice(-10).includes('#END') ? [] : ['apisix.yaml does not end in #END: it would not be taken'];

/** Its YAML is of version 1.1: off, on, yes and no are booleans there, and 010 is eight. */
const yamlWords = ({ text, config }: ApisixFiles): readonly string[] =>
  (
    [
      ['apisix.yaml', text],
      ['config.yaml', config],
    ] as const
  ).flatMap(([name, content]) =>
    isDeepStrictEqual(parse(content, { version: '1.1' }), parse(content, { version: '1.2' }))
      ? []
      : [`${name} means something else in YAML 1.1, which APISIX reads: quote its words`],
  );

/** A reference that leads nowhere is not seen when the file is loaded; each request to it is a 502. */
const references = ({ file }: ApisixFiles): readonly string[] => {
  const targets = {
    upstream_id: 'upstreams',
    service_id: 'services',
    plugin_config_id: 'plugin_configs',
    group_id: 'consumer_groups',
  } as const;
  return itemsOf(file).flatMap(({ where, item }) =>
    Object.entries(targets).flatMap(([field, key]) =>
      item[field] === undefined || (file[key] ?? []).some(({ id }) => id === item[field])
        ? []
        : [`${where}: ${field} ${JSON.stringify(item[field])} is none of ${key}`],
    ),
  );
};

/** Of two items with one id the last is taken; of a plugin in two global rules, which are merged, one is. */
const doubles = ({ file }: ApisixFiles): readonly string[] => {
  const twice = (values: readonly string[]): readonly string[] =>
    values.filter((value, index) => values.indexOf(value) !== index);
  return [
    ...twice(itemsOf(file).map(({ where }) => where)).map((where) => `${where} is there twice`),
    ...twice((file.global_rules ?? []).flatMap((rule) => pluginsOf(rule).map(([name]) => name))).map(
      (name) => `two global rules have ${name}: APISIX merges them and one is lost`,
    ),
  ];
};

/** An item with a plugin that config.yaml does not list is dropped as a whole, and a broader route takes its requests. */
const unlisted = ({ file, config }: ApisixFiles): readonly string[] => {
  const listed = Config.safeParse(parse(config)).data?.plugins ?? [];
  return itemsOf(file).flatMap(({ where, item }) =>
    pluginsOf(item).flatMap(([name]) =>
      listed.includes(name)
        ? []
        : [`${where}: config.yaml does not list the plugin ${name}, so the item is dropped`],
    ),
  );
};

/** Defaults that nobody would choose. */
const defaults = ({ file }: ApisixFiles): readonly string[] =>
  itemsOf(file).flatMap(({ where, item }) =>
    pluginsOf(item).flatMap(([name, plugin]) => [
      ...(/^limit-(count|req|conn)$/.test(name) && plugin.rejected_code !== 429
        ? [`${where}: ${name} refuses with 503 unless rejected_code is 429`]
        : []),
      ...(name === 'limit-count' && plugin.policy === undefined
        ? [`${where}: write out the policy of limit-count, or a validator asks for redis`]
        : []),
      ...(name === 'jwt-auth' &&
      where.startsWith('routes') &&
      plugin.claims_to_verify?.includes('exp') !== true
        ? [`${where}: jwt-auth takes a token without exp unless claims_to_verify names it`]
        : []),
    ]),
  );

const timeouts = ({ file }: ApisixFiles): readonly string[] =>
  (file.routes ?? []).flatMap((route) =>
    route.upstream_id !== undefined && route.timeout === undefined
      ? [`routes[${String(route.id)}]: without a timeout of its own it waits for 60 s`]
      : [],
  );

/** APISIX's own errors are text and HTML; a route makes problems of them by itself. */
const problems = ({ file }: ApisixFiles): readonly string[] =>
  (file.routes ?? []).flatMap((route) =>
    pluginsOf(route).some(
      ([name, { phase }]) =>
        name === 'response-rewrite' || (name === 'serverless-post-function' && phase === 'body_filter'),
    )
      ? []
      : [`routes[${String(route.id)}]: APISIX's own errors would not be problem+json`],
  );

/** Spans are made by what the metadata says, and without it not at all. */
const metadata = ({ file }: ApisixFiles): readonly string[] =>
  itemsOf(file).some(({ item }) => pluginsOf(item).some(([name]) => name === 'opentelemetry')) &&
  !(file.plugin_metadata ?? []).some(({ id }) => id === 'opentelemetry')
    ? ['opentelemetry has no plugin_metadata: it would make no spans']
    : [];

/** What APISIX accepts and nobody wants: every finding is something that a start does not tell. */
export const findTraps = (files: ApisixFiles): readonly string[] =>
  [end, yamlWords, references, doubles, unlisted, defaults, timeouts, problems, metadata].flatMap((trap) =>
    trap(files),
  );
