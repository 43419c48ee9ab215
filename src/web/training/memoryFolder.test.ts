import { describe, expect, it } from 'vitest';
import { TEST_SESSION } from '../../testing/testSession';
import { tinyConfig } from '../../testing/tinyRun';
import { MemoryFolder } from './memoryFolder';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (content: Uint8Array | undefined): string => new TextDecoder().decode(content);

function folderWithRun(): MemoryFolder {
  const folder = new MemoryFolder('2026-11-21_12-00-00-demo');
  folder.writeConfig(tinyConfig());
  folder.appendSession(TEST_SESSION);
  for (const step of [0, 1, 2]) folder.appendMetrics({ phase: 'teacher', step, loss: 1 / (step + 1) });
  for (const step of [1, 2, 3])
    folder.writeCheckpoint({ phase: 'teacher', step }, bytes(`model ${step}`), bytes(`state ${step}`));
  folder.writePicture('teacher-000003', bytes('png'));
  return folder;
}

describe('a run folder in memory', () => {
  it('has the files of a run folder, and keeps the last two checkpoints of a phase', () => {
    const files = folderWithRun().files();
    expect([...files.keys()].sort()).toEqual([
      'checkpoints/teacher-2.safetensors',
      'checkpoints/teacher-2.state.safetensors',
      'checkpoints/teacher-3.safetensors',
      'checkpoints/teacher-3.state.safetensors',
      'config.json',
      'metrics.jsonl',
      'panels/teacher-000003.png',
      'sessions.jsonl',
    ]);
    expect(text(files.get('metrics.jsonl'))).toBe(
      '{"phase":"teacher","step":0,"loss":1}\n{"phase":"teacher","step":1,"loss":0.5}\n{"phase":"teacher","step":2,"loss":0.3333333333333333}\n',
    );
  });

  it('keeps the last one of the phase before', () => {
    const folder = folderWithRun();
    folder.writeCheckpoint({ phase: 'imae', step: 0 }, bytes('first'), bytes('its state'));
    expect(folder.finished('teacher')).toMatchObject({ step: 3, model: { name: 'checkpoints/teacher-3.safetensors' } });
    expect(folder.lastCheckpoint()).toMatchObject({
      phase: 'imae',
      step: 0,
      state: { name: 'checkpoints/imae-0.state.safetensors', bytes: bytes('its state') },
    });
    expect([...folder.files().keys()].filter((path) => path.startsWith('checkpoints/'))).toHaveLength(4);
  });

  it('knows its last picture, in whatever order they were loaded', () => {
    const folder = folderWithRun();
    for (const name of ['imae-000100', 'imae-000020', 'teacher-000300']) folder.writePicture(name, bytes(name));
    expect(folder.lastPicture()).toMatchObject({ name: 'panels/imae-000100.png', bytes: bytes('imae-000100') });
    expect(new MemoryFolder('x').lastPicture()).toBeUndefined();
  });

  it('takes lines back that come again, when the first of them comes', () => {
    const folder = folderWithRun();
    folder.goOn();
    expect(folder.metrics.split('\n')).toHaveLength(4);
    folder.appendMetrics({ phase: 'teacher', step: 1, loss: 0.4 });
    folder.appendMetrics({ phase: 'teacher', step: 2, loss: 0.3 });
    expect(folder.metrics).toBe(
      '{"phase":"teacher","step":0,"loss":1}\n{"phase":"teacher","step":1,"loss":0.4}\n{"phase":"teacher","step":2,"loss":0.3}\n',
    );
  });

  it('is the same again when its files are loaded', () => {
    const folder = folderWithRun();
    const again = MemoryFolder.from(
      'other',
      new Map([...folder.files()].map(([path, content]) => [`${folder.name}/${path}`, content])),
    );
    expect(again.name).toBe(folder.name);
    expect(again.files()).toEqual(folder.files());
    expect(again.readConfig()).toEqual(tinyConfig());
    expect(again.sessions()).toEqual([TEST_SESSION]);
    expect(again.size).toBe(folder.size);
  });

  it('takes of what is loaded only what belongs to a run', () => {
    const files = folderWithRun().files();
    for (const path of [
      '.lock',
      'report.html',
      'checkpoints/mine.safetensors',
      'checkpoints/imae-1.safetensors.tmp',
      'checkpoints/deeper/imae-1.safetensors',
      'old/config.json',
    ]) {
      files.set(path, bytes('foreign'));
    }
    const loaded = MemoryFolder.from('dropped', files);
    expect(loaded.name).toBe('dropped');
    expect(loaded.files()).toEqual(folderWithRun().files());
  });

  it('cannot be made of what holds no run, or several, and says when its configuration is none', () => {
    expect(() => MemoryFolder.from('holiday.zip', new Map([['beach.png', bytes('')]]))).toThrow(
      /^holiday\.zip is no run: it has no config\.json/,
    );
    const two = new Map([
      ['runs/a/config.json', bytes('{}')],
      ['runs/b/config.json', bytes('{}')],
    ]);
    expect(() => MemoryFolder.from('runs', two)).toThrow(/^runs holds several runs: runs\/a\/, runs\/b\//);
    const cut = MemoryFolder.from('x', new Map([['config.json', bytes('{"preset":')]]));
    expect(() => cut.readConfig()).toThrow(/^x\/config\.json cannot be read as JSON/);
    const wrong = MemoryFolder.from('x', new Map([['config.json', bytes('{"model":{"dim":7}}')]]));
    expect(() => wrong.readConfig()).toThrow(/model\.dim\): 7 \(x\/config\.json\) is not allowed/);
  });
});
