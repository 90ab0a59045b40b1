import type { ReactNode } from 'react';
import type { EngineState, InstanceState, StackState } from '../../../src/api.ts';
import { clock } from '../format.ts';
import { Empty, Stale, Status } from '../status.tsx';
import { Evidence } from './evidence.tsx';
import { PlaceOrder } from './place-order.tsx';

const State = ({ up, detail }: { readonly up: boolean; readonly detail?: string | undefined }): ReactNode => (
  <>
    <Status tone={up ? 'good' : 'bad'}>{up ? 'up' : 'down'}</Status>
    {detail === undefined ? null : <span className="detail">{detail}</span>}
  </>
);

const Address = ({ address }: { readonly address: string }): ReactNode =>
  address.startsWith('http') ? (
    <a href={address} target="_blank" rel="noreferrer">
      {address.replace(/^https?:\/\//, '')}
    </a>
  ) : (
    address
  );

const Instances = ({ instances }: { readonly instances: readonly InstanceState[] }): ReactNode => (
  <table>
    <caption>Services</caption>
    <thead>
      <tr>
        <th>Instance</th>
        <th>State</th>
        <th>Version</th>
        <th>HTTP</th>
        <th>Operations</th>
      </tr>
    </thead>
    <tbody>
      {instances.map(({ id, up, detail, version, http, ops }) => (
        <tr key={id}>
          <th scope="row">{id}</th>
          <td>
            <State up={up} detail={detail} />
          </td>
          <td className="mono">{version === '' ? '–' : version}</td>
          <td className="mono">
            <Address address={http} />
          </td>
          <td className="mono">
            <Address address={`${ops}/readyz`} />
          </td>
        </tr>
      ))}
    </tbody>
  </table>
);

const Engines = ({ engines }: { readonly engines: readonly EngineState[] }): ReactNode => (
  <table>
    <caption>Engines</caption>
    <thead>
      <tr>
        <th>Engine</th>
        <th>State</th>
        <th>Version</th>
        <th>Address</th>
      </tr>
    </thead>
    <tbody>
      {engines.map(({ name, up, detail, version, address }) => (
        <tr key={name}>
          <th scope="row">{name}</th>
          <td>
            <State up={up} detail={detail} />
          </td>
          <td className="mono">{version ?? '–'}</td>
          <td className="mono">
            <Address address={address} />
          </td>
        </tr>
      ))}
    </tbody>
  </table>
);

const headline = (stack: StackState | undefined, error: string | undefined): string => {
  if (stack === undefined) return error === undefined ? 'Looking …' : 'No stack yet';
  if (error !== undefined) return 'No news of the stack';
  const { instances, engines } = stack;
  const down = [
    ...instances.filter(({ up }) => !up).map(({ id }) => id),
    ...engines.filter(({ up }) => !up).map(({ name }) => name),
  ];
  if (down.length === 0) return 'Everything is up';
  return down.length > 3 ? `${down.length} parts are down` : `Down: ${down.join(', ')}`;
};

/** Is everything up, where is it, and what was proven of it. */
export const Overview = ({
  stack,
  error,
}: {
  readonly stack: StackState | undefined;
  readonly error: string | undefined;
}): ReactNode => (
  <>
    <section className="lead">
      <div>
        <h1 aria-live="polite">{headline(stack, error)}</h1>
        {stack === undefined || error === undefined ? null : (
          <Stale>
            {error}. What follows was so at {clock(stack.checkedAtMs)}.
          </Stale>
        )}
        {stack === undefined ? (
          <Empty title={error ?? 'The console asks each part of the stack'}>
            Start one in the clone: <code>npm run dev</code>
          </Empty>
        ) : (
          <ul className="links" aria-label="Where everything is">
            {stack.links.map(({ label, url }) => (
              <li key={url}>
                <a href={url} target="_blank" rel="noreferrer">
                  {label}
                </a>
              </li>
            ))}
          </ul>
        )}
      </div>
      <PlaceOrder tracesUrl={stack?.tracesUrl} isPossible={stack !== undefined && error === undefined} />
    </section>
    {stack === undefined ? null : (
      <section className="pair">
        <Instances instances={stack.instances} />
        <Engines engines={stack.engines} />
      </section>
    )}
    <Evidence />
  </>
);
