import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createProgress } from './progress';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A stream that remembers what was written to it. */
function memoryStream(terminal?: { columns: number }): { stream: NodeJS.WriteStream; text: () => string } {
  const stream = new PassThrough();
  const chunks: string[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  if (terminal) Object.assign(stream, { isTTY: true, columns: terminal.columns });
  return { stream: stream as unknown as NodeJS.WriteStream, text: () => chunks.join('') };
}

describe('plain lines', () => {
  test('come at log intervals and at the end, with loss, rate and time left', () => {
    const { stream, text } = memoryStream();
    const progress = createProgress({ logEvery: 10, stream });
    progress.phase('teacher', 25);
    for (let step = 1; step <= 25; step++) {
      vi.advanceTimersByTime(1000);
      progress.step(step, { loss: 1 / step, imagesPerSecond: 64 });
    }
    progress.note('done', 'all of it');
    progress.stop();
    expect(text().trimEnd().split('\n')).toEqual([
      'teacher   10/25  loss 0.1000  64.0 images/s  15 s left',
      'teacher   20/25  loss 0.0500  64.0 images/s  5 s left',
      'teacher   25/25  loss 0.0400  64.0 images/s',
      'done      all of it',
      'teacher   25 steps in 25 s  loss 0.0400  64.0 images/s',
    ]);
  });

  test('a new phase closes the one before; an interrupted phase says where', () => {
    const { stream, text } = memoryStream();
    const progress = createProgress({ logEvery: 100, stream });
    progress.phase('teacher', 1);
    progress.step(1, { loss: 1, imagesPerSecond: 100 });
    progress.phase('imae', 60, 30);
    progress.step(31, { loss: 2, imagesPerSecond: 100 });
    progress.stop();
    progress.stop();
    expect(text()).toContain('teacher   1 steps in');
    expect(text().match(/imae {6}stopped at step 31 of 60 \(from step 30\)/g)).toHaveLength(1);
  });
});

describe('a bar', () => {
  function shown(columns: number): { frames: string[]; text: string } {
    const { stream, text } = memoryStream({ columns });
    Object.assign(stream, { cursorTo: () => true });
    const progress = createProgress({ logEvery: 10, stream });
    progress.phase('imae', 40);
    for (let step = 1; step <= 20; step++) {
      vi.advanceTimersByTime(1000);
      progress.step(step, { loss: 0.5, imagesPerSecond: 512 });
    }
    vi.advanceTimersByTime(200);
    progress.note('saved', 'a checkpoint');
    progress.note('long', 'a note that is longer than the terminal is wide');
    progress.stop();
    const parts = text().split(/\x1b(?:\[[?0-9;]*[A-Za-z]|[78])/);
    return { frames: parts.filter((part) => part.startsWith('imae')), text: text() };
  }

  test('shows loss, rate and time left, is half full half way, and fits its terminal', () => {
    const { frames } = shown(100);
    const last = frames.filter((frame) => frame.includes('20/40')).at(0) ?? '';
    expect(last).toMatch(/^imae {6}█{15}░{15} {2}20\/40 {2}loss 0\.5000 {2}512 images\/s {2}20 s left/);
    for (const frame of shown(60).frames.filter((part) => part.includes('/40'))) expect(frame.length).toBeLessThan(60);
  });

  test('goes before its figures where there is no room', () => {
    const frame = shown(56).frames.find((part) => part.includes('20/40')) ?? '';
    expect(frame).toMatch(/^imae {6}20\/40 {2}loss 0\.5000 {2}512 images\/s {2}20 s left/);
  });

  test('has no half words on the narrowest terminal', () => {
    const frame = shown(40).frames.find((part) => part.includes('20/40')) ?? '';
    expect(frame).toMatch(/^imae {6}(█+░+ {2})?20\/40 {2}20 s left/);
    expect(shown(20).frames.find((part) => part.includes('20/40'))).toMatch(/^imae {6}20\/40/);
  });

  test('gives way to notes and is put away at the end', () => {
    const { text } = shown(100);
    expect(text).toContain('saved     a checkpoint\n');
    expect(shown(40).text).toContain('long      a note that is longer than the\n          terminal is wide\n');
    expect(text.endsWith('\n')).toBe(true);
    expect(text).toContain('imae      stopped at step 20 of 40');
    expect(vi.getTimerCount()).toBe(0);
  });
});
