export { Calibrator, type Calibration, type CalibrationBin } from './calibration.js';
export { judgeContinuations } from './continuations.js';
export { type JudgedTexts, perplexity, type Perplexity, type PerplexityOptions } from './perplexity.js';
export { reliabilitySvg, trustHtml } from './pictures.js';
export type { Continuation, JudgeOptions, Reader } from './reader.js';
export { type ChoiceQuestion, type ChoiceScore, judgeChoices, judgeLastWords, judgePairs, type LastWordScore, type Score, type SentencePair, standardError } from './tasks.js';
export { trust, type Trust, type TrustToken, type UncertainSpan } from './trust.js';
