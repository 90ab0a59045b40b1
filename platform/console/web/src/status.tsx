import type { ReactNode } from 'react';

/** How something is. Each has a sign and a word of its own: the colour only repeats them. */
export type Tone = 'good' | 'bad' | 'warn' | 'quiet';

const signs: Readonly<Record<Tone, string>> = { good: '●', bad: '▲', warn: '◆', quiet: '○' };

export const Status = ({
  tone,
  children,
}: {
  readonly tone: Tone;
  readonly children: ReactNode;
}): ReactNode => (
  <span className={`status ${tone}`}>
    <span aria-hidden="true" className="sign">
      {signs[tone]}
    </span>
    {children}
  </span>
);

/** Nothing to show, and what to do about it. */
export const Empty = ({
  title,
  children,
}: {
  readonly title: string;
  readonly children: ReactNode;
}): ReactNode => (
  <div className="empty">
    <strong>{title}</strong>
    <div>{children}</div>
  </div>
);

/** What is shown is what was last known: it is said so, and why. */
export const Stale = ({ children }: { readonly children: ReactNode }): ReactNode => (
  <p className="stale" role="status">
    ▲ {children}
  </p>
);
