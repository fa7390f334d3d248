#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh [SECONDS [TARGET...]]: runs the fuzz targets one after the other, from their corpora and what earlier runs
# found. Stops at the first input that breaks something, which is left in build/fuzz/findings/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/packages.sh
need_packages $build_packages $fuzz_packages

seconds=${1:-60}
targets=("${@:2}")
((${#targets[@]})) || targets=(npy csv npz model options)
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -j1 "${targets[@]/#/--target=fuzz_}"
for target in "${targets[@]}"; do
  echo "== $target"
  mkdir -p build/fuzz/grown/"$target" build/fuzz/findings
  build/fuzz/tests/fuzz/fuzz_"$target" -max_total_time="$seconds" -max_len=4096 -timeout=20 -close_fd_mask=1 \
    -print_final_stats=1 -artifact_prefix=build/fuzz/findings/"$target"- \
    build/fuzz/grown/"$target" tests/fuzz/corpus/"$target" 2>&1 | grep -E "ERROR|SUMMARY|broken|Test unit|stat::number|DONE|^cavi_|^    #[0-9]"
done
