import { useSyncExternalStore, type AnchorHTMLAttributes, type MouseEvent, type ReactNode } from 'react';

const CHANGED = 'parley:navigated';

const subscribe = (changed: () => void): (() => void) => {
  window.addEventListener('popstate', changed);
  window.addEventListener(CHANGED, changed);
  return () => {
    window.removeEventListener('popstate', changed);
    window.removeEventListener(CHANGED, changed);
  };
};

/** Goes to a URL of this page without loading it. `replace`: for what one types, of which each letter is no step back. */
export const navigate = (href: string, { replace = false } = {}): void => {
  if (replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  window.dispatchEvent(new Event(CHANGED));
};

/** Where the page is. Everything that a person can choose is in it, so that a link shows the same. */
export const useLocation = (): { readonly path: string; readonly params: URLSearchParams } => {
  const href = useSyncExternalStore(subscribe, () => window.location.href);
  const { pathname, searchParams } = new URL(href);
  return { path: pathname, params: searchParams };
};

/** The URL of this state with some of it changed; undefined removes. */
export const hrefWith = (changes: Readonly<Record<string, string | undefined>>): string => {
  const url = new URL(window.location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  return `${url.pathname}${url.search}`;
};

interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  readonly href: string;
  readonly children: ReactNode;
}

/** A link within the page; with a modifier key, or into another tab, it is the browser's own. */
export const Link = ({ href, children, ...rest }: LinkProps): ReactNode => (
  <a
    {...rest}
    href={href}
    onClick={(event: MouseEvent) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      navigate(href);
    }}
  >
    {children}
  </a>
);
