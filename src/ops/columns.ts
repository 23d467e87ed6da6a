import type { Op } from '../graph/node.js';

type Columns = Op['columns'];

/** All inputs and the result are equally wide. */
export const same: Columns = (inputs) => (inputs.every((x) => x.columns === inputs[0]!.columns) ? inputs[0]!.columns : NaN);
/** The model says how wide the result is. */
export const free: Columns = () => undefined;
