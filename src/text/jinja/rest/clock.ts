const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const DAY = 86_400_000;

/** Days since 1 January. */
const dayOfYear = (date: Date): number => Math.round((Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - Date.UTC(date.getFullYear(), 0, 1)) / DAY);

/** Year and week of ISO 8601: those of the week's Thursday. */
function isoWeek(date: Date): [number, number] {
  const thursday = new Date(date);
  thursday.setDate(date.getDate() + 3 - ((date.getDay() + 6) % 7));
  return [thursday.getFullYear(), Math.floor(dayOfYear(thursday) / 7) + 1];
}

type Part = (date: Date) => string | readonly [number, number] | readonly [number, number, ' '];

/** Directives of strftime in the C locale: texts, numbers with their width, or other directives. */
const PARTS: Readonly<Record<string, Part>> = {
  a: (date) => DAYS[date.getDay()]!.slice(0, 3),
  A: (date) => DAYS[date.getDay()]!,
  b: (date) => MONTHS[date.getMonth()]!.slice(0, 3),
  h: (date) => MONTHS[date.getMonth()]!.slice(0, 3),
  B: (date) => MONTHS[date.getMonth()]!,
  c: (date) => strftime(date, '%a %b %e %H:%M:%S %Y'),
  C: (date) => [Math.floor(date.getFullYear() / 100), 2],
  d: (date) => [date.getDate(), 2],
  D: (date) => strftime(date, '%m/%d/%y'),
  e: (date) => [date.getDate(), 2, ' '],
  f: (date) => [date.getMilliseconds() * 1000, 6],
  F: (date) => strftime(date, '%Y-%m-%d'),
  g: (date) => [isoWeek(date)[0] % 100, 2],
  G: (date) => [isoWeek(date)[0], 1],
  H: (date) => [date.getHours(), 2],
  I: (date) => [date.getHours() % 12 || 12, 2],
  j: (date) => [dayOfYear(date) + 1, 3],
  k: (date) => [date.getHours(), 2, ' '],
  l: (date) => [date.getHours() % 12 || 12, 2, ' '],
  m: (date) => [date.getMonth() + 1, 2],
  M: (date) => [date.getMinutes(), 2],
  n: () => '\n',
  p: (date) => (date.getHours() < 12 ? 'AM' : 'PM'),
  P: (date) => (date.getHours() < 12 ? 'am' : 'pm'),
  r: (date) => strftime(date, '%I:%M:%S %p'),
  R: (date) => strftime(date, '%H:%M'),
  s: (date) => [Math.floor(date.getTime() / 1000), 1],
  S: (date) => [date.getSeconds(), 2],
  t: () => '\t',
  T: (date) => strftime(date, '%H:%M:%S'),
  u: (date) => [date.getDay() || 7, 1],
  U: (date) => [Math.floor((dayOfYear(date) + 7 - date.getDay()) / 7), 2],
  V: (date) => [isoWeek(date)[1], 2],
  w: (date) => [date.getDay(), 1],
  W: (date) => [Math.floor((dayOfYear(date) + 7 - ((date.getDay() + 6) % 7)) / 7), 2],
  x: (date) => strftime(date, '%m/%d/%y'),
  X: (date) => strftime(date, '%H:%M:%S'),
  y: (date) => [date.getFullYear() % 100, 2],
  Y: (date) => [date.getFullYear(), 1],
  z: () => '',
  Z: () => '',
  '%': () => '%',
};

/** Local time as C's strftime writes it, with glibc's flags; Python's `now` knows no zone, so %z and %Z are empty. */
export function strftime(date: Date, pattern: string): string {
  return pattern.replace(/%([-_0^#]*)(\d{0,3})[EO]?([a-zA-Z%])/g, (all, flags: string, width: string, letter: string) => {
    const part = Object.hasOwn(PARTS, letter) ? PARTS[letter]!(date) : undefined;
    if (part === undefined) return all;
    const number = typeof part === 'string' ? undefined : part;
    const fill = flags.includes('_') ? ' ' : flags.includes('0') ? '0' : number ? (number[2] ?? '0') : ' ';
    const wide = width ? Number(width) : flags.includes('-') ? 0 : (number?.[1] ?? 0);
    const text = (number ? String(number[0]) : (part as string)).padStart(wide, fill);
    if (flags.includes('^')) return text.toUpperCase();
    return flags.includes('#') ? (/^[pZ]$/.test(letter) ? text.toLowerCase() : text.toUpperCase()) : text;
  });
}
