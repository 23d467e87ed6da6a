import { compileTrainKernels } from '../../src/host/compile-train.js';
import { nodeHost } from '../../src/host/node.js';
import type { TrainHost } from '../../src/train/loop/engine.js';

export const trainHost: TrainHost = { host: nodeHost(), compileTraining: compileTrainKernels };
