import type { Gradient, Op } from '../graph/node.js';
import { activationGradient, activationOp, gluGradient, gluOp } from './activation.js';
import { addGradient, addOp } from './add.js';
import { attentionSequenceGradient, attentionSequenceOp } from './attention-sequence.js';
import { biasGradient, biasOp } from './bias.js';
import { dropoutGradient, dropoutOp } from './dropout.js';
import { embed, embedGradient } from './embed.js';
import { linearGradient, linearOp } from './linear.js';
import { crossEntropyGradient, crossEntropyOp } from './cross-entropy.js';
import { gaussianGradient, gaussianOp } from './gaussian.js';
import { gaussianKlGradient, gaussianKlOp } from './gaussian-kl.js';
import { inputGradient, inputOp } from './input.js';
import { logisticLossGradient, logisticLossOp } from './logistic-loss.js';
import { layernormGradient, layernormOp, rmsnormGradient, rmsnormOp } from './norms.js';
import { outputRowsGradient, outputRowsOp } from './output-rows.js';
import { ropeGradient, ropeOp } from './rope.js';
import { scaleGradient, scaleOp } from './scale.js';
import { squaredErrorGradient, squaredErrorOp } from './squared-error.js';

/** Gradients by operation. */
export type Gradients = ReadonlyMap<Op<never>, Gradient<never>>;

/** Only training comes here: a page that generates leaves all of them out. */
export const GRADIENTS: Gradients = new Map<Op<never>, Gradient<never>>([
  [embed, embedGradient],
  [rmsnormOp, rmsnormGradient],
  [layernormOp, layernormGradient],
  [linearOp, linearGradient],
  [biasOp, biasGradient],
  [ropeOp, ropeGradient],
  [attentionSequenceOp, attentionSequenceGradient],
  [gluOp, gluGradient],
  [activationOp, activationGradient],
  [addOp, addGradient],
  [scaleOp, scaleGradient],
  [dropoutOp, dropoutGradient],
  [outputRowsOp, outputRowsGradient],
  [crossEntropyOp, crossEntropyGradient],
  [squaredErrorOp, squaredErrorGradient],
  [logisticLossOp, logisticLossGradient],
  [gaussianOp, gaussianGradient],
  [gaussianKlOp, gaussianKlGradient],
  [inputOp, inputGradient],
]);
