#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Compiles the CUDA kernels and holds their registers, shared memory, spills and the instructions of their loops against
# kernels/cuda/resources.txt.
#
#   scripts/kernel-resources.sh [--update] [--mix] [architecture...]
#
# --update writes the table anew for the architectures given (default: 80 90); --mix also prints what the instructions of
# the hot loops are. Fails when a kernel spills, uses more than the table says, or is not in it.
set -euo pipefail
cd "$(dirname "$0")/.."

options=()
architectures=()
for argument in "$@"; do
  case "$argument" in
    --update | --mix) options+=("$argument") ;;
    -*) sed -n '3,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
    *) architectures+=("$argument") ;;
  esac
done
[ ${#architectures[@]} -gt 0 ] || architectures=(80 90)

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cmake -DPROJECT_SOURCE_DIR="$PWD" -DPROJECT_BINARY_DIR="$build" -P cmake/families.cmake
compile() {
  "${NVCC:-nvcc}" -std=c++20 -arch="sm_$2" -I. -Iinclude -I"$build/generated" -Xptxas -v --fmad=false --expt-relaxed-constexpr -cubin \
    -o "$build/$(basename "$1" .cu).compute_$2.cubin" "$1" 2>"$build/$2.$(basename "$1" .cu).ptxas" ||
    { cat "$build/$2.$(basename "$1" .cu).ptxas" >&2; return 1; }
}
export -f compile
export build
for architecture in "${architectures[@]}"; do
  printf "%s\n" kernels/cuda/*.cu | xargs -P "$(nproc)" -I {} bash -c "compile {} $architecture"
done
python3 scripts/kernel_resources.py "${options[@]}" kernels/cuda/resources.txt "$build"
