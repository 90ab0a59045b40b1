/** The import table of docs/architecture: who may import whom. Type-only imports count. */
const npmAndCore = ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'core'];
/** The one file of contracts that libraries may import: names of signals, pure data (docs/adr/0004). */
const SIGNALS = '^contracts/src/telemetry\\.ts$';
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^(contracts|domains|projections|gateway-config|platform|e2e)/', pathNot: allowed },
});
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    only('contracts-import-nothing-of-ours', '^contracts/', ['^contracts/']),
    {
      name: 'a-domain-never-imports-a-domain',
      severity: 'error',
      from: { path: '^domains/([^/]+)/' },
      to: { path: '^domains/', pathNot: '^domains/$1/' },
    },
    only('domains', '^domains/', [
      '^domains/',
      '^contracts/',
      '^projections/',
      '^platform/(delivery|event-log|work-queue|service|service-defaults)/',
      '^platform/engines/testing/',
    ]),
    {
      name: 'a-projection-never-imports-a-projection',
      severity: 'error',
      from: { path: '^projections/([^/]+)/' },
      to: { path: '^projections/', pathNot: '^projections/$1/' },
    },
    only('projections', '^projections/', ['^projections/', '^contracts/', '^platform/(event-log|service)/']),
    only('gateway-config', '^gateway-config/', [
      '^gateway-config/',
      '^contracts/',
      '^platform/cli/',
      '^platform/engines/testing/',
    ]),
    only('platform-delivery', '^platform/delivery/', ['^platform/delivery/', SIGNALS]),
    only('platform-event-log', '^platform/event-log/', [
      '^platform/event-log/',
      SIGNALS,
      '^platform/delivery/',
      '^platform/engines/testing/',
    ]),
    only('platform-work-queue', '^platform/work-queue/', [
      '^platform/work-queue/',
      SIGNALS,
      '^platform/delivery/',
      '^platform/engines/testing/',
    ]),
    only('platform-service', '^platform/service/', [
      '^platform/service/',
      '^platform/engines/testing/',
      SIGNALS,
    ]),
    only('platform-service-defaults', '^platform/service-defaults/', [
      '^platform/service-defaults/',
      '^contracts/',
      '^platform/(event-log|service|work-queue)/',
    ]),
    only('platform-cli', '^platform/cli/', ['^platform/cli/']),
    only('platform-engines', '^platform/engines/', ['^platform/engines/', '^platform/cli/']),
    only('platform-launcher', '^platform/launcher/', [
      '^platform/launcher/',
      '^platform/(cli|engines)/',
      '^platform/service/src/discovery/',
      '^contracts/',
      '^gateway-config/',
      '^platform/mesh/',
    ]),
    only('platform-mesh', '^platform/mesh/', ['^platform/mesh/', '^contracts/']),
    only('platform-console', '^platform/console/', [
      '^platform/console/',
      '^contracts/',
      '^platform/cli/',
      '^platform/engines/src/rabbitmq-account\\.ts$',
      '^gateway-config/',
      '^platform/engines/testing/',
    ]),
    only('platform-bench', '^platform/bench/', [
      '^platform/',
      '^contracts/',
      '^projections/',
      '^gateway-config/',
    ]),
    only('platform-timeline', '^platform/timeline/', [
      '^platform/timeline/',
      '^contracts/',
      '^projections/',
      '^platform/(cli|event-log|service)/',
      '^platform/engines/testing/',
    ]),
    only('platform-compat', '^platform/compat/', [
      '^platform/compat/',
      '^contracts/',
      '^projections/',
      '^platform/(cli|event-log|work-queue)/',
      '^platform/engines/src/rabbitmq-account\\.ts$',
      '^platform/engines/testing/',
    ]),
    only('e2e', '^e2e/', ['^e2e/', '^contracts/', '^platform/[^/]+/testing/']),
    {
      name: 'core-is-pure',
      comment: 'A core imports its own files and types of contracts only: no npm package, no Node module.',
      severity: 'error',
      from: { path: '^domains/[^/]+/src/core/', pathNot: '\\.spec\\.ts$' },
      to: { pathNot: ['^domains/[^/]+/src/core/', '^contracts/'] },
    },
    {
      name: 'core-takes-only-types-of-contracts',
      severity: 'error',
      from: { path: '^domains/[^/]+/src/core/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^contracts/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'engines-only-in-tests',
      comment: 'Product code never starts an engine; its integration tests do.',
      severity: 'error',
      from: { path: '^(platform/(event-log|work-queue)|domains/[^/]+)/src/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^platform/engines/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules', dependencyTypes: npmAndCore },
    exclude: { path: '(^|/)node_modules/|generated/|^platform/console/dist' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
