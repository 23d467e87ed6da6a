#!/usr/bin/env bash
# build.sh PEERS OUT: ggml's WebAssembly kernels as OUT, from the source of llama.cpp that node-llama-cpp ships (PEERS/node_modules).
# Debian: apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32 libc++-14-dev-wasm32
set -euo pipefail
peers=$(realpath "$1"); out=$(realpath -m "$2"); here=$(dirname "$(realpath "$0")")
source=$(dirname "$out")/llama.cpp
if [ ! -d "$source" ]; then
  git clone -q --no-checkout "$peers/node_modules/node-llama-cpp/llama/gitRelease.bundle" "$source"
  git -C "$source" checkout -q HEAD -- ggml
fi
ggml=$source/ggml/src
flags=(--target=wasm32-wasi -O3 -msimd128 -DNDEBUG -D_GNU_SOURCE -I"$source/ggml/include" -I"$ggml" -I"$ggml/ggml-cpu")
objects=$(mktemp -d); trap 'rm -rf "$objects"' EXIT
cc() { clang "${flags[@]}" -c "$1" -o "$objects/$2.o"; }
cc "$here/kernels.c" kernels
cc "$ggml/ggml-cpu/arch/wasm/quants.c" wasm-quants
cc "$ggml/ggml-cpu/quants.c" quants
cc "$ggml/ggml-quants.c" ggml-quants
clang++ "${flags[@]}" -std=c++17 -fno-exceptions -fno-rtti -I/usr/include/wasm32-wasi/c++/v1 -c "$ggml/ggml-cpu/vec.cpp" -o "$objects/vec.o"
clang --target=wasm32-wasi -O3 -nostartfiles -Wl,--no-entry -Wl,--allow-undefined -Wl,--import-memory -Wl,--max-memory=1073741824 -Wl,--gc-sections "$objects"/*.o -o "$out"
