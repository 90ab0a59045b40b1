/** Begins each line of `parley-run` that is for the person at the launcher; the rest of turbo's output is for its log. */
export const sayMark = 'parley| ';

/** Splits a stream's text into lines across chunks, and sorts them: what was said with `sayMark`, and everything. */
export const lineSorter = (
  said: (line: string) => void,
  all: (line: string) => void,
): ((chunk: string) => void) => {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      all(line);
      const at = line.indexOf(sayMark);
      if (at >= 0) said(line.slice(at + sayMark.length));
    }
  };
};
