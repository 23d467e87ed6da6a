import type { Calibration } from './calibration.js';
import { checkList, checkResult, isText } from './check.js';
import type { Trust } from './trust.js';

const isShown = (value: unknown): boolean => typeof value === 'object' && value !== null && isText((value as { text?: unknown }).text);

export const escapeMarkup = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

const SIZE = 320;
const MARGIN = 40;

/** Reliability diagram (Guo et al. 2017): bars of accuracy over confidence, beside the diagonal of perfect calibration. Bars are as opaque as they hold many tokens. */
export function reliabilitySvg(calibration: Calibration): string {
  checkResult('a calibration', calibration, ['bins', 'expectedCalibrationError', 'tokens']);
  const { bins, expectedCalibrationError, tokens } = calibration;
  checkList('bins', bins, (bin) => typeof bin === 'object' && bin !== null, 'Pass what Calibrator.result() gave.');
  const inner = SIZE - 2 * MARGIN;
  const x = (value: number) => MARGIN + value * inner;
  const y = (value: number) => SIZE - MARGIN - value * inner;
  const most = Math.max(1, ...bins.map(({ count }) => count));
  const bars = bins.map(({ from, to, accuracy, confidence, count }) => {
    const title = `<title>said ${(100 * confidence).toFixed(1)} %, right ${(100 * accuracy).toFixed(1)} %, ${count} tokens</title>`;
    const opacity = count ? 0.25 + 0.75 * Math.sqrt(count / most) : 0;
    return `<rect x="${x(from) + 1}" y="${y(accuracy)}" width="${x(to) - x(from) - 2}" height="${y(0) - y(accuracy)}" fill="#2a6f97" opacity="${opacity.toFixed(2)}">${title}</rect>`;
  });
  const ticks = [0, 0.5, 1].map((value) => `<text x="${x(value)}" y="${SIZE - MARGIN + 16}" text-anchor="middle">${value}</text><text x="${MARGIN - 8}" y="${y(value) + 4}" text-anchor="end">${value}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE} ${SIZE}" width="${SIZE}" height="${SIZE}" font-family="sans-serif" font-size="11" role="img" aria-label="Reliability diagram">
<rect width="100%" height="100%" fill="#fff"/>
<path d="M${x(0)} ${y(1)}V${y(0)}H${x(1)}" fill="none" stroke="#333"/>
${bars.join('\n')}
<path d="M${x(0)} ${y(0)}L${x(1)} ${y(1)}" stroke="#c1121f" stroke-dasharray="4 3"/>
${ticks.join('\n')}
<text x="${SIZE / 2}" y="${SIZE - 6}" text-anchor="middle">what the model said</text>
<text x="12" y="${SIZE / 2}" text-anchor="middle" transform="rotate(-90 12 ${SIZE / 2})">how often it was right</text>
<text x="${SIZE / 2}" y="20" text-anchor="middle">expected calibration error ${(100 * expectedCalibrationError).toFixed(2)} %, ${tokens} tokens</text>
</svg>
`;
}

/** Red for what surprised the model, nothing for what it was sure of. */
const shade = (probability: number): string => `rgba(193,18,31,${Math.min(0.75, -Math.log10(Math.max(probability, 1e-6)) / 6).toFixed(2)})`;

/** A page that shows a text with the model's certainty: shades by probability, the least certain spans underlined and listed. */
export function trustHtml(view: Trust, prompt = ''): string {
  checkResult('what trust() gave', view, ['tokens', 'spans', 'meanProbability', 'meanEntropy']);
  checkList('tokens', view.tokens, isShown, 'Pass what trust() gave.');
  checkList('spans', view.spans, isShown, 'Pass what trust() gave.');
  checkList('texts as prompt', [prompt], isText, 'Leave it out for none.');
  const words = view.tokens.map(({ text, probability, entropy, margin, span }) => {
    const title = `probability ${(100 * probability).toFixed(1)} %, entropy ${entropy.toFixed(2)} nats, margin ${(100 * margin).toFixed(1)} points`;
    return `<span${span ? ' class="span"' : ''} style="background:${shade(probability)}" title="${title}">${escapeMarkup(text)}</span>`;
  });
  const spans = view.spans.map(({ text, surprise }) => `<li><b>${escapeMarkup(text)}</b>: ${(100 * Math.exp(-surprise)).toPrecision(2)} %</li>`);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>How far to trust this text</title>
<style>body{font:16px/1.7 Georgia,serif;max-width:42rem;margin:2rem auto;padding:0 1rem;color:#222}pre{font:inherit;white-space:pre-wrap}.prompt{color:#777}.span{border-bottom:2px solid #c1121f}h1{font-size:1.2rem}</style>
<h1>How far to trust this text</h1>
<pre><span class="prompt">${escapeMarkup(prompt)}</span>${words.join('')}</pre>
<p>Mean probability of a token ${(100 * view.meanProbability).toFixed(1)} %, mean entropy ${view.meanEntropy.toFixed(2)} nats. The darker, the less the model expected it; hover for numbers.</p>
<p>Least certain:</p><ol>${spans.join('')}</ol>
</html>
`;
}
