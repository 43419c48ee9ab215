import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { spawnTrain } from '../testing/spawnTrain';
import { TINY } from '../testing/tinyRun';
import { writeTree } from '../testing/testImages';
import { crc32c, restartRecord, summaryRecord, versionRecord } from './eventFile';

const base = mkdtempSync(join(tmpdir(), 'palimpsest-'));
afterAll(() => rmSync(base, { recursive: true }));

type Field = readonly [field: number, value: number | Uint8Array];

/** Protocol buffers' wire format, told apart without its schema. */
function fields(bytes: Uint8Array): Field[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = view.getUint8(at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, wire] = [key >> 3, key & 7];
    if (wire === 0) found.push([field, varint()]);
    else if (wire === 1) found.push([field, view.getFloat64((at += 8) - 8, true)]);
    else if (wire === 5) found.push([field, view.getFloat32((at += 4) - 4, true)]);
    else {
      const length = varint();
      found.push([field, bytes.subarray(at, (at += length))]);
    }
  }
  return found;
}

const bytesOf = (message: readonly Field[], field: number): Uint8Array[] =>
  message.flatMap(([key, value]) => (key === field && value instanceof Uint8Array ? [value] : []));
const numberOf = (message: readonly Field[], field: number): number | undefined =>
  message.flatMap(([key, value]) => (key === field && typeof value === 'number' ? [value] : []))[0];
const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

/** The records of a file, their checksums looked at. */
function records(file: Uint8Array): Field[][] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const unmasked = (sum: number): number => {
    const turned = (sum - 0xa282ead8) >>> 0;
    return ((turned << 15) | (turned >>> 17)) >>> 0;
  };
  const found: Field[][] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(view.getBigUint64(at, true));
    const event = file.subarray(at + 12, at + 12 + length);
    expect(unmasked(view.getUint32(at + 8, true))).toBe(crc32c(file.subarray(at, at + 8)));
    expect(unmasked(view.getUint32(at + 12 + length, true))).toBe(crc32c(event));
    found.push(fields(event));
    at += length + 16;
  }
  return found;
}

/** Tags with the numbers, or the sizes of the pictures, of an event. */
function valuesOf(event: readonly Field[]): Record<string, number | undefined> {
  const [summary = new Uint8Array(0)] = bytesOf(event, 5);
  return Object.fromEntries(
    bytesOf(fields(summary), 1).map((bytes) => {
      const value = fields(bytes);
      const [picture] = bytesOf(value, 4);
      return [textOf(bytesOf(value, 1)[0]), picture ? numberOf(fields(picture), 2) : numberOf(value, 2)];
    }),
  );
}

describe('records of events', () => {
  it('have the checksum of RFC 3720', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  });

  it('say version, restart, numbers and pictures', () => {
    const png = Uint8Array.of(1, 2, 200);
    const [version, restart, summary] = [
      versionRecord(1.5),
      restartRecord(2, 300),
      summaryRecord(
        3,
        70_000,
        new Map<string, number | { png: Uint8Array; width: number; height: number }>([
          ['loss', 0.25],
          ['panels', { png, width: 640, height: 33 }],
        ]),
      ),
    ].map((bytes) => records(bytes)[0] as Field[]) as [Field[], Field[], Field[]];
    expect([numberOf(version, 1), textOf(bytesOf(version, 3)[0])]).toEqual([1.5, 'brain.Event:2']);
    expect([numberOf(restart, 2), fields(bytesOf(restart, 7)[0] as Uint8Array)]).toEqual([300, [[1, 1]]]);
    expect(numberOf(summary, 2)).toBe(70_000);
    expect(valuesOf(summary)).toEqual({ loss: 0.25, panels: 640 });
  });
});

describe('a run', () => {
  it('leaves events for TensorBoard, a folder a phase, and a table', async () => {
    await writeTree(base, {
      'tiny.json': JSON.stringify({ ...TINY, logging: { ...TINY.logging, panelsEvery: 2 } }),
    });
    const run = join(base, 'run');
    const begun = ['--config', 'tiny.json', '--data', 'shapes', '--log', 'both', '--out', run];
    expect(await spawnTrain(begun, { cwd: base })).toMatchObject({ code: 0, err: '' });

    const folder = join(run, 'tensorboard', 'imae');
    const [file = ''] = readdirSync(folder);
    const events = records(new Uint8Array(readFileSync(join(folder, file))));
    const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, number | string>);
    const losses = lines.filter(({ phase, loss }) => phase === 'imae' && loss !== undefined);
    expect(
      events.filter((event) => valuesOf(event)['loss'] !== undefined).map((event) => valuesOf(event)['loss']),
    ).toEqual(losses.map(({ loss }) => Math.fround(Number(loss))));
    expect(events.some((event) => (valuesOf(event)['panels'] ?? 0) > 100)).toBe(true);
    expect(readdirSync(join(run, 'tensorboard')).sort()).toEqual(['imae', 'teacher']);

    const [head = '', ...rows] = readFileSync(join(run, 'metrics.csv'), 'utf8').trimEnd().split('\n');
    const columns = head.split(',');
    expect(columns.slice(0, 3)).toEqual(['phase', 'step', 'loss']);
    expect(columns).toContain('unmixing/subordinate/score');
    expect(rows).toHaveLength(lines.length);
    expect(rows.every((row) => row.split(',').length === columns.length)).toBe(true);
    expect(Number(rows[0]?.split(',')[2])).toBe(lines[0]?.['loss']);
  });
});
