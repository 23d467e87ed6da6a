import type { ComparedModel, Comparison, Kind } from '../pretraining/compare.js';

const WIDTH = 720;
const HEIGHT = 320;
const LEFT = 60, RIGHT = 180, TOP = 30, BOTTOM = 44;
const COLOURS: Readonly<Record<Kind, string>> = { 'n-gram': '#6c757d', network: '#2a6f97', transformer: '#c1121f' };

interface Point {
  readonly seconds: number;
  readonly bits: number;
}

/** Bits per byte of the validation text over the time spent learning; counting takes one moment. */
function curveOf({ history, seconds, steps, validation }: ComparedModel): Point[] {
  const measured = history?.validation.filter(({ step }) => step > 0).map(({ step, bitsPerByte }) => ({ seconds: (seconds * step) / steps, bits: bitsPerByte }));
  return measured?.length ? measured : [{ seconds, bits: validation.bitsPerByte }];
}

/** The comparison as a picture: how good each model has become, and when. */
export function comparisonSvg({ models }: Comparison): string {
  const curves = models.map((model) => ({ model, points: curveOf(model) }));
  const all = curves.flatMap(({ points }) => points);
  const [low, high] = [Math.min(...all.map(({ bits }) => bits)), Math.max(...all.map(({ bits }) => bits))];
  const margin = Math.max((high - low) * 0.08, 0.01);
  const last = Math.max(...all.map(({ seconds }) => seconds), 1e-3);
  const x = (seconds: number) => LEFT + (seconds / last) * (WIDTH - LEFT - RIGHT);
  const y = (bits: number) => HEIGHT - BOTTOM - ((bits - low + margin) / (high - low + 2 * margin)) * (HEIGHT - TOP - BOTTOM);
  const drawn = curves.map(({ model, points }) => curve(model, points, x, y));
  const ticks = [low, (low + high) / 2, high].map((bits) => `<text x="${LEFT - 8}" y="${(y(bits) + 4).toFixed(1)}" text-anchor="end">${bits.toFixed(2)}</text>`);
  const times = [0, last / 2, last].map((seconds) => `<text x="${x(seconds).toFixed(1)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${seconds.toFixed(seconds < 10 ? 1 : 0)}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="11" role="img" aria-label="Bits per byte over training time">
<rect width="100%" height="100%" fill="#fff"/>
<path d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}" fill="none" stroke="#333"/>
${drawn.join('\n')}
${ticks.join('\n')}
${times.join('\n')}
<text x="${LEFT}" y="16">bits per byte of the validation text</text>
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">seconds of learning</text>
</svg>
`;
}

function curve({ kind, title, validation }: ComparedModel, points: readonly Point[], x: (seconds: number) => number, y: (bits: number) => number): string {
  const colour = COLOURS[kind];
  const path = points.map(({ seconds, bits }, i) => `${i ? 'L' : 'M'}${x(seconds).toFixed(1)} ${y(bits).toFixed(1)}`).join('');
  const level = points.length === 1 ? `<path d="M${LEFT} ${y(points[0]!.bits).toFixed(1)}H${WIDTH - RIGHT}" stroke="${colour}" stroke-dasharray="4 3"/>` : '';
  const dots = points.map(({ seconds, bits }) => `<circle cx="${x(seconds).toFixed(1)}" cy="${y(bits).toFixed(1)}" r="3" fill="${colour}"><title>${bits.toFixed(4)} bits per byte after ${seconds.toFixed(1)} s</title></circle>`);
  return `${level}<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>${dots.join('')}<text x="${WIDTH - RIGHT + 8}" y="${(y(points.at(-1)!.bits) + 4).toFixed(1)}" fill="${colour}">${title}: ${validation.bitsPerByte.toFixed(3)}</text>`;
}
