// Direct preference optimisation in plain f64: Rafailov et al. 2023, equation 7.
export const preferenceLoss = (chosen: number, rejected: number, referenceChosen: number, referenceRejected: number, beta: number): number =>
  Math.log1p(Math.exp(-beta * (chosen - referenceChosen - (rejected - referenceRejected))));
