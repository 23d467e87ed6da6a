import { tensorBytes } from '../../files/dtypes.js';
import type { GgufContent } from '../../files/gguf-writer.js';
import { escapeMarkup as escape } from '../../judge/pictures.js';
import { type LayerRow, layerRows } from '../../models/parameters.js';
import type { LossHistory } from '../loop/loop.js';
import type { TrainResult } from '../pretraining/result.js';

const WIDTH = 720;
const HEIGHT = 360;
const MARGIN = { left: 52, right: 16, top: 28, bottom: 40 };
/** More points than columns of the picture say nothing more. */
const MOST_POINTS = 360;

interface Point {
  readonly step: number;
  readonly loss: number;
}

/** Means of equal stretches of steps. */
function thinned(losses: readonly number[]): Point[] {
  const stretch = Math.max(1, Math.ceil(losses.length / MOST_POINTS));
  return Array.from({ length: Math.ceil(losses.length / stretch) }, (_, i) => {
    const part = losses.slice(i * stretch, (i + 1) * stretch);
    return { step: i * stretch + (part.length + 1) / 2, loss: part.reduce((a, b) => a + b, 0) / part.length };
  });
}

/** About `count` round numbers from `low` to `high`. */
function ticks(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough)!;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Training and validation loss by step. */
export function lossSvg({ training, validation }: LossHistory): string {
  const curve = thinned(training);
  const all = [...curve, ...validation].map(({ loss }) => loss);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const span = Math.max(high - low, 1e-3);
  const [bottom, top] = [low - span * 0.05, high + span * 0.05];
  const steps = Math.max(1, training.length);
  const x = (step: number) => MARGIN.left + (step / steps) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (loss: number) => HEIGHT - MARGIN.bottom - ((loss - bottom) / (top - bottom)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const path = (points: readonly Point[]) => points.map(({ step, loss }, i) => `${i ? 'L' : 'M'}${x(step).toFixed(1)} ${y(loss).toFixed(1)}`).join('');
  const across = ticks(bottom, top, 6).map((loss) => `<path d="M${MARGIN.left} ${y(loss).toFixed(1)}H${WIDTH - MARGIN.right}" stroke="#ddd"/><text x="${MARGIN.left - 6}" y="${(y(loss) + 4).toFixed(1)}" text-anchor="end">${loss}</text>`);
  const along = ticks(0, steps, 6).map((step) => `<text x="${x(step).toFixed(1)}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${step}</text>`);
  const dots = validation.map(({ step, loss, perplexity }) => `<circle cx="${x(step).toFixed(1)}" cy="${y(loss).toFixed(1)}" r="2.5" fill="#c1121f"><title>step ${step}: loss ${loss.toFixed(4)}, perplexity ${perplexity.toFixed(2)}</title></circle>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="11" role="img" aria-label="Loss by step">
<rect width="100%" height="100%" fill="#fff"/>
${across.join('\n')}
${along.join('\n')}
<path d="${path(curve)}" fill="none" stroke="#2a6f97" stroke-width="1.2"/>
<path d="${path(validation)}" fill="none" stroke="#c1121f" stroke-width="1.5"/>
${dots.join('\n')}
<text x="${MARGIN.left}" y="16"><tspan fill="#2a6f97">training</tspan>${validation.length ? ' and <tspan fill="#c1121f">validation</tspan>' : ''} loss, nats per token</text>
<text x="${WIDTH / 2}" y="${HEIGHT - 6}" text-anchor="middle">step</text>
</svg>
`;
}

/** Layer by layer, as `stonechat inspect` tells them. */
export const parameterTable = ({ tensors }: Pick<GgufContent, 'tensors'>): LayerRow[] =>
  layerRows(new Map(tensors.map(({ name, type, shape }) => [name, { name, type, shape, bytes: tensorBytes(type, shape)! }])));

const count = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 });
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<table><tr>${head.map((cell) => `<th>${cell}</th>`).join('')}</tr>\n${rows.map((row) => `<tr>${row.map((cell) => `<td>${escape(cell)}</td>`).join('')}</tr>`).join('\n')}\n</table>`;

/** A page on one run: loss, samples over time, parameters, settings. It needs nothing else. */
export function reportHtml(result: TrainResult, facts: readonly (readonly [string, string])[] = []): string {
  const { history, settings, validation, step, parameters, tokens, content } = result;
  const { config, ...rest } = settings;
  const layers = parameterTable(content).map(([name, kind, formula, size]) => [name, kind, formula, count(size)]);
  const shapes = content.tensors.map(({ name, shape }) => [name, shape.join(' x '), count(shape.reduce((a, b) => a * b, 1))]);
  const judged = validation ? [['validation perplexity', validation.perplexity.toFixed(3)], ['validation bits per byte', validation.bitsPerByte.toFixed(4)]] : [];
  const summary = [['parameters', count(parameters)], ['tokens learnt from', count(tokens)], ['weights of step', count(step)], ...judged, ...facts];
  const samples = history.samples.map((sample) => `<h3>step ${sample.step}</h3><blockquote>${escape(sample.text)}</blockquote>`);
  const evaluations = history.validation.map((at) => [String(at.step), at.loss.toFixed(4), at.perplexity.toFixed(2), at.bitsPerByte.toFixed(4)]);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(settings.name)}: training</title>
<style>body{font:15px/1.6 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#222}table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.1rem .8rem .1rem 0;text-align:left}td:nth-child(n+2){text-align:right}blockquote{white-space:pre-wrap;border-left:3px solid #ddd;margin:0;padding-left:1rem;font-family:Georgia,serif}svg{max-width:100%;height:auto}h3{margin:1rem 0 .2rem;font-size:1rem}</style>
<h1>${escape(settings.name)}</h1>
${table([], summary as string[][])}
<h2>Loss</h2>
${lossSvg(history)}
${evaluations.length ? table(['step', 'validation loss', 'perplexity', 'bits per byte'], evaluations) : ''}
<h2>Samples over time</h2>
${samples.join('\n') || '<p>None were asked for.</p>'}
<h2>Parameters</h2>
${table(['layer', 'kind', 'inputs x outputs + outputs', 'parameters'], [...layers, ['total', '', '', count(parameters)]])}
${table(['tensor', 'shape', 'values'], shapes)}
<h2>Settings</h2>
${table(['', ''], [...Object.entries(config), ...Object.entries(rest)].map(([name, value]) => [name, JSON.stringify(value)]))}
</html>
`;
}
