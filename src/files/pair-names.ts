/** Names of a pair's tensors. */
export const pairNames = (weight: string): { a: string; b: string } => ({ a: `${weight}.lora_a`, b: `${weight}.lora_b` });
