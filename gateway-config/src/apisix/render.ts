import { Document, Scalar, visit } from 'yaml';
import type { GatewayPolicy } from '../policy/policy.ts';
import { apisixModel, seconds, type ApisixOptions, type Data } from './model.ts';

/** YAML that reads the same for a parser of version 1.1: every text is quoted, or a block where it has several lines. */
const yaml = (data: Data): string => {
  const document = new Document(data, { aliasDuplicateObjects: false, version: '1.1' });
  visit(document, {
    Scalar: (key, scalar) => {
      if (key !== 'key' && typeof scalar.value === 'string' && scalar.value.includes('\n'))
        scalar.type = Scalar.BLOCK_LITERAL;
    },
  });
  return document.toString({
    defaultStringType: 'QUOTE_DOUBLE',
    defaultKeyType: 'PLAIN',
    lineWidth: 0,
    blockQuote: 'literal',
  });
};

/** `apisix.yaml`, the standalone file, which APISIX takes only with its end. The same options give the same text. */
export const renderApisix = (options: ApisixOptions): string => `${yaml(apisixModel(options))}#END\n`;

/** Where APISIX itself listens. */
export interface ApisixConfigOptions {
  readonly policy: GatewayPolicy;
  readonly listen: { readonly host: string; readonly port: number };
  readonly controlPort: number;
  readonly metricsPort: number;
}

/** `config.yaml`: read at start only. `plugins` replaces the default list, so that what is not named cannot be used. */
export const renderApisixConfig = ({
  policy,
  listen,
  controlPort,
  metricsPort,
}: ApisixConfigOptions): string =>
  yaml({
    deployment: { role: 'data_plane', role_data_plane: { config_provider: 'yaml' } },
    apisix: {
      node_listen: [{ ip: listen.host, port: listen.port }],
      enable_ipv6: false,
      enable_server_tokens: false,
      normalize_uri_like_servlet: false,
      ssl: { enable: false },
      control: { ip: '127.0.0.1', port: controlPort },
    },
    nginx_config: {
      error_log_level: 'warn',
      worker_processes: 2,
      http: {
        client_header_timeout: `${seconds(policy.request.headersTimeoutMs)}s`,
        client_body_timeout: `${seconds(policy.request.arrivalTimeoutMs)}s`,
        keepalive_timeout: `${seconds(policy.connections.clientIdleTimeoutMs)}s`,
        underscores_in_headers: 'off',
        real_ip_from: ['255.255.255.255/32'],
      },
    },
    plugins: [
      'client-control',
      'cors',
      'fault-injection',
      'jwt-auth',
      'limit-count',
      'opentelemetry',
      'prometheus',
      'proxy-buffering',
      'serverless-pre-function',
      'serverless-post-function',
    ],
    plugin_attr: { prometheus: { export_addr: { ip: '127.0.0.1', port: metricsPort } } },
  });
