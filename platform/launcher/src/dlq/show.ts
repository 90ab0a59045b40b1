import { printable } from '@parley/cli';
import type { DeadLetter, DeadLetterDetail } from '@parley/contracts/rest';
import { formatTable } from '../cli/table.ts';
import type { FoundLetter } from './client.ts';

const HEX_BYTES = 16;
const HEX_LINES_MAX = 32;

const ageOf = (sinceMs: number | undefined, nowMs: number): string => {
  if (sinceMs === undefined) return '?';
  const seconds = Math.max(0, Math.round((nowMs - sinceMs) / 1000));
  if (seconds < 120) return `${String(seconds)} s`;
  if (seconds < 7_200) return `${String(Math.round(seconds / 60))} min`;
  return `${String(Math.round(seconds / 3_600))} h`;
};

const stateOf = ({ state, redrives }: DeadLetter): string =>
  redrives === 0 ? state : `${state}, died again ${String(redrives)}x`;

/** Letters of both brokers as one table. */
export const lettersTable = (letters: readonly FoundLetter[], nowMs: number): string =>
  formatTable([
    ['ID', 'ORIGIN', 'SUBJECT', 'TYPE', 'REASON', 'ATTEMPTS', 'AGE', 'STATE'],
    ...letters.map((letter) => [
      letter.id,
      letter.broker === 'kafka' ? `${letter.source}/${letter.position}` : letter.source,
      letter.subject,
      letter.type,
      letter.reason.slice(0, 60),
      String(letter.attempts),
      ageOf(letter.sinceMs, nowMs),
      stateOf(letter),
    ]),
  ]);

/** Bytes as offset, hexadecimal and text; of long ones the first half a kilobyte. */
const hexOf = (bytes: Buffer): string => {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length && lines.length < HEX_LINES_MAX; at += HEX_BYTES) {
    const line = bytes.subarray(at, at + HEX_BYTES);
    const hex = line.toString('hex').replaceAll(/../g, '$& ');
    const text = [...line].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'));
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(HEX_BYTES * 3)} ${text.join('')}`);
  }
  const shown = lines.length * HEX_BYTES;
  if (shown < bytes.length) lines.push(`… ${String(bytes.length - shown)} bytes more`);
  return lines.join('\n');
};

/** One letter: why it is dead, its headers, what it says, its bytes. */
export const letterText = (letter: DeadLetterDetail, tracesUrl: string): string => {
  const trace = letter.traceparent?.split('-')[1];
  const facts = [
    ['id', letter.id],
    ['origin', `${letter.source} ${letter.position}`],
    ['consumer', letter.consumer],
    ['reason', letter.reason],
    ['error', [letter.errorClass, letter.message].filter(Boolean).join(': ')],
    ['attempts', String(letter.attempts)],
    ['state', stateOf(letter)],
    ...(letter.note === undefined ? [] : [['note', letter.note]]),
    ['correlation', letter.correlationId],
    ...(trace === undefined ? [] : [['trace', `${tracesUrl}/zipkin/traces/${trace}`]]),
  ];
  const decoded =
    letter.decoded === undefined ? '(cannot be decoded)' : JSON.stringify(letter.decoded, undefined, 2);
  return [
    formatTable(facts),
    '',
    'headers',
    formatTable(letter.headers.map(([name, value]) => [`  ${name}`, value ?? '(null)'])),
    '',
    printable(decoded),
    '',
    hexOf(Buffer.from(letter.value ?? '', 'base64')),
  ].join('\n');
};
