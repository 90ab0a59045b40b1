import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/** Of WCAG 2.2, level AA, for text of any size. */
const TEXT_CONTRAST_MIN = 4.5;

const css = readFileSync(join(import.meta.dirname, 'styles.css'), 'utf8');

/** Colours of a theme by the names of their custom properties. */
const coloursIn = (selector: string): ReadonlyMap<string, string> => {
  const start = css.indexOf(selector);
  const block = css.slice(start, css.indexOf('}', start));
  return new Map(
    [...block.matchAll(/--([a-z-]+): (#[0-9a-f]{6});/g)].map(([, name = '', hex = '']) => [name, hex]),
  );
};

const luminance = (hex: string): number => {
  const channel = (at: number): number => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
};

const contrast = (a: string, b: string): number => {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
};

const themes: readonly (readonly [string, string])[] = [
  ['light', ':root {'],
  ['dark', ":root[data-theme='dark'] {"],
  ['dark, as the system has it', ':root:not([data-theme]) {'],
];
const texts = ['ink', 'muted', 'accent', 'good', 'warn', 'bad'];

it.each(themes)('every colour of text can be read on both grounds (%s)', (_theme, selector) => {
  const colours = coloursIn(selector);
  for (const text of texts)
    for (const ground of ['paper', 'raised']) {
      const ratio = contrast(colours.get(text) ?? '', colours.get(ground) ?? '');
      expect(ratio, `${text} on ${ground}`).toBeGreaterThanOrEqual(TEXT_CONTRAST_MIN);
    }
});
