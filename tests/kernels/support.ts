import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { Arena } from '../../src/kernels/arena.js';
import { BUILDS, type Build, type KernelExports, type Kernels, instantiateKernels, instantiateTrainKernels, type TrainExports } from '../../src/kernels/instance.js';
import { ALL_SETS } from '../../src/kernels/sets.js';

/** Builds that are right on this machine: Node 20's baseline compiler gets the relaxed dot wrong. */
export function buildsHere(): Build[] {
  const major = Number(process.versions.node.split('.')[0]);
  return BUILDS.filter((build) => build !== 'relaxed' || major >= 22);
}

/** One instance of a build with an allocator and views; addresses are bytes, lengths elements. */
export interface Bench {
  readonly build: Build;
  readonly exports: KernelExports;
  allocate(bytes: number): number;
  /** Copies the data in and returns its address; `shift` bytes beyond an aligned one. */
  place(data: ArrayBufferView, shift?: number): number;
  bytes(address: number, length: number): Uint8Array;
  floats(address: number, length: number): Float32Array;
  ints(address: number, length: number): Int32Array;
}

const modules = new Map<string, WebAssembly.Module>();

export function moduleAt(path: string): WebAssembly.Module {
  const file = fileURLToPath(new URL(`../../dist/wasm/${path}.wasm`, import.meta.url));
  const module = modules.get(path) ?? new WebAssembly.Module(readFileSync(file));
  modules.set(path, module);
  return module;
}

/** All sets that generate. */
export const setsAt = (build: string): WebAssembly.Module[] => ALL_SETS.map((set) => moduleAt(`${set}/${build}`));

/** A fresh instance of a build, on its own memory. */
export const load = (build: Build): Bench => loadSets(setsAt(build), build);

export const loadSets = (sets: readonly WebAssembly.Module[], build: Build): Bench => benchOf(instantiateKernels(sets, build));

export type TrainBench = Bench & { readonly exports: KernelExports & TrainExports };

/** The same with the training kernels. */
export function loadTrain(build: Build): TrainBench {
  const kernels = instantiateTrainKernels(setsAt(build), moduleAt(`train/${build}`), build);
  return { ...benchOf(kernels), exports: kernels.exports };
}

function benchOf({ build, exports, memory }: Kernels): Bench {
  const arena = new Arena(memory);
  const bytes = (address: number, length: number) => new Uint8Array(memory.buffer, address, length);
  const allocate = (size: number) => arena.allocate(size, 'a test');
  return {
    build,
    exports,
    allocate,
    place(data, shift = 0) {
      const address = allocate(data.byteLength + shift) + shift;
      bytes(address, data.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      return address;
    },
    bytes,
    floats: (address, length) => new Float32Array(memory.buffer, address, length),
    ints: (address, length) => new Int32Array(memory.buffer, address, length),
  };
}

/** Seeded numbers in [0, 1): mulberry32. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function randomFloats(length: number, next: () => number, scale = 1): Float32Array {
  return Float32Array.from({ length }, () => (next() * 2 - 1) * scale);
}

/** The 32 bits of each value, NaN made one: for comparing to the last bit. */
export function bits(values: Float32Array): Uint32Array {
  const copy = values.map((value) => (Number.isNaN(value) ? NaN : value));
  return new Uint32Array(copy.buffer, copy.byteOffset, copy.length);
}

/** Where two arrays first differ, to the last bit (-1: nowhere): for arrays too long to print. */
export function firstDifference(actual: Float32Array | Uint8Array, expected: Float32Array | Uint8Array): number {
  if (actual.length !== expected.length) return Math.min(actual.length, expected.length);
  const [a, b] = [actual, expected].map((values) => (values instanceof Float32Array ? bits(values) : values));
  return a!.findIndex((value, i) => value !== b![i]);
}

/** Fails at the first element that is further from the expected one than allowed: a number, or one for each expected value. */
export function expectWithin(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number | ((expected: number) => number), where = ''): void {
  for (let i = 0; i < expected.length; i++) {
    const allowed = typeof tolerance === 'number' ? tolerance : tolerance(expected[i]!);
    if (!(Math.abs(actual[i]! - expected[i]!) <= allowed)) expect.fail(`${where} element ${i}: ${actual[i]} instead of ${expected[i]}`);
  }
}
