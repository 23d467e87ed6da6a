// Names that options of `stonechat/train` had. They are taken for one release more.
import { badOption } from '../files/refuse.js';

export interface FormerNames {
  /** @deprecated Use `maxGradNorm`. */
  readonly clip?: number | undefined;
  /** @deprecated Use `keepWeights`. */
  readonly keep?: 'best' | 'last' | undefined;
}

export interface FormerTuningNames extends FormerNames {
  /** @deprecated Use `longExamples`. */
  readonly long?: 'skip' | 'cut' | undefined;
}

export interface FormerWritingNames {
  /** @deprecated Use `quantizeOutput`. */
  readonly pure?: boolean | undefined;
}

const NAMES: Readonly<Record<string, string>> = { clip: 'maxGradNorm', keep: 'keepWeights', long: 'longExamples', pure: 'quantizeOutput' };

type Former = keyof FormerTuningNames | keyof FormerWritingNames;

/** The options by the names that they have now. @throws StonechatError `bad-option` where one is given by both. */
export function byNewNames<Options extends object>(options: Options): Omit<Options, Former> {
  if (typeof options !== 'object' || options === null) return options;
  const twice = Object.keys(options).find((name) => Object.hasOwn(NAMES, name) && Object.hasOwn(options, NAMES[name]!));
  if (twice !== undefined) throw badOption(`${NAMES[twice]} alone`, `${twice} beside it`, `${twice} is what ${NAMES[twice]} was called: leave it out.`);
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [Object.hasOwn(NAMES, name) ? NAMES[name]! : name, value])) as Omit<Options, Former>;
}
