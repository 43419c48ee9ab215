/** `950`, `1.23 k`, `28.4 M`, `1.7 T`: three significant digits and a decimal prefix. */
export function formatCount(value: number): string {
  return scaled(value, 1000, ['', 'k', 'M', 'G', 'T', 'P']);
}

/** `512 B`, `1.5 KiB`, `32 MiB`. */
export function formatBytes(value: number): string {
  return scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let unit = 0;
  while (rounded(value) >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return `${rounded(value)} ${units[unit] ?? ''}`.trimEnd();
}

/** Three significant digits, but never fewer than all digits before the point. */
function rounded(value: number): number {
  return value >= 1000 ? Math.round(value) : Number(value.toPrecision(3));
}

/** Seconds as `8 s`, `1:05`, `2:03:09` or `3 d 04 h`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600), Math.floor(whole / 60)];
  if (whole < 60) return `${whole} s`;
  if (hours < 1) return `${minutes}:${two(whole % 60)}`;
  if (days < 1) return `${hours}:${two(minutes % 60)}:${two(whole % 60)}`;
  return `${days} d ${two(hours % 24)} h`;
}

/** A loss, in a width that hardly changes: `0.4812`, `12.500`, `1.500e-4`. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value) || value === 0) return String(value);
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e5) return value.toExponential(3).replace('e+', 'e');
  return size < 10 ? value.toFixed(4) : value.toPrecision(5);
}

/** A setting, without needless digits: `0.003`, `1.5e-4`, `9750`. */
export function formatSetting(value: number): string {
  const short = Number(value.toPrecision(4));
  return short !== 0 && Math.abs(short) < 1e-3 ? short.toExponential() : String(short);
}

/** Images a second: whole from 100, else three digits. */
export function formatRate(imagesPerSecond: number): string {
  if (!Number.isFinite(imagesPerSecond)) return '–';
  return imagesPerSecond >= 100 ? String(Math.round(imagesPerSecond)) : imagesPerSecond.toPrecision(3);
}

/** `1 step`, `300 steps`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A share, 0 … 1, in percent: `4.2 %`. */
export function formatShare(share: number): string {
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}
