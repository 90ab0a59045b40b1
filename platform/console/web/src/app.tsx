import { lazy, Suspense, useState, type ReactNode } from 'react';
import type { StackState } from '../../src/api.ts';
import { clock } from './format.ts';
import { Link, useLocation } from './location.tsx';
import { Overview } from './overview/overview.tsx';
import { ask, usePolled } from './polled.ts';
import { Empty, Status } from './status.tsx';
import { applyTheme, storedTheme, themes } from './theme.ts';

/** Most of the page's script: the map and the charts. */
const Signals = lazy(async () => ({ default: (await import('./signals/signals.tsx')).Signals }));

const STACK_INTERVAL_MS = 2_000;

const pages = [
  { path: '/', label: 'Overview' },
  { path: '/signals', label: 'Signals' },
] as const;

const ThemeButton = (): ReactNode => {
  const [theme, setTheme] = useState(storedTheme);
  return (
    <button
      type="button"
      className="plain"
      title="Theme: automatic, light or dark"
      onClick={() => {
        const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'auto';
        applyTheme(next);
        setTheme(next);
      }}
    >
      Theme: {theme}
    </button>
  );
};

/** How many of the stack's parts answer, in a word that a person can act upon. */
const Summary = ({
  stack,
  error,
}: {
  readonly stack: StackState | undefined;
  readonly error: string | undefined;
}): ReactNode => {
  if (stack === undefined || error !== undefined)
    return <Status tone={error === undefined ? 'quiet' : 'bad'}>{error ?? 'looking …'}</Status>;
  const parts = [...stack.instances, ...stack.engines];
  const down = parts.filter(({ up }) => !up).length;
  return (
    <Status tone={down === 0 ? 'good' : 'bad'}>
      {down === 0 ? `${parts.length} up` : `${down} of ${parts.length} down`} · {clock(stack.checkedAtMs)}
    </Status>
  );
};

export const App = (): ReactNode => {
  const { path } = useLocation();
  const { value: stack, error } = usePolled(() => ask<StackState>('/api/stack'), STACK_INTERVAL_MS, 'stack');
  const page = pages.find((candidate) => candidate.path === path);
  document.title = `${page?.label ?? 'Not found'} · Parley`;
  return (
    <>
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <header>
        <Link href="/" className="mark">
          Parley
        </Link>
        <nav aria-label="Pages">
          {pages.map(({ path: to, label }) => (
            <Link key={to} href={to} aria-current={to === path ? 'page' : undefined}>
              {label}
            </Link>
          ))}
        </nav>
        <div className="end">
          <Summary stack={stack} error={error} />
          <ThemeButton />
        </div>
      </header>
      <main id="content">
        {page === undefined ? (
          <Empty title={`There is no page at ${path}`}>
            <Link href="/">Go to the overview</Link>
          </Empty>
        ) : page.path === '/' ? (
          <Overview stack={stack} error={error} />
        ) : (
          <Suspense fallback={<p className="hint">Loading …</p>}>
            <Signals stack={stack} />
          </Suspense>
        )}
      </main>
    </>
  );
};
