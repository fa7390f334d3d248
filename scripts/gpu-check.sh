#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks and times the CUDA backend on the GPU of this machine: builds for its architecture, runs the tests on the
# device (also under compute-sanitizer, where that is installed), times the shapes of the design. Writes
# build/gpu-check/report.json and report.txt. With BUILD=folder it takes a finished build instead of making one.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${OUT:-build/gpu-check}
mkdir -p "$out"

if ! device=$(nvidia-smi --query-gpu=name,compute_cap,driver_version,clocks.max.sm,memory.total --format=csv,noheader 2>&1); then
  echo "gpu-check: there is no usable CUDA device: $device" >&2
  exit 1
fi
device=$(head -n 1 <<<"$device")
architecture=$(cut -d, -f2 <<<"$device" | tr -d ' .')
echo "device: $device" | tee "$out/report.txt"

if [[ -z ${BUILD:-} ]]; then
  BUILD=build/gpu
  source scripts/packages.sh
  need_packages $build_packages $test_packages || exit 1
  cmake -S . -B $BUILD -DCMAKE_BUILD_TYPE=Release -DCMAKE_CUDA_ARCHITECTURES="$architecture-real" \
    -DCAVI_BUILD_BENCHMARKS=ON >/dev/null || exit 1
  cmake --build $BUILD -j"$(nproc)" || exit 1
fi

export CAVI_TEST_DEVICE=cuda CAVI_REQUIRE_GPU=1
failed=0 results=()
run() { # run NAME COMMAND...: one line in the report, the whole output in a file
  local name=$1 status=passed
  shift
  "$@" >"$out/$name.log" 2>&1 || { status=FAILED; failed=1; }
  results+=("\"$name\": \"$status\"")
  printf '%-28s %s  %s\n' "$name" "$status" "$(grep -E '^\[  (PASSED|FAILED)  \] [0-9]+ tests?|ERROR SUMMARY' "$out/$name.log" | tr '\n' ' ')" |
    tee -a "$out/report.txt"
}
for test in engine_law engine_reference mixture model many_fits counts_reference prediction counts_prediction sampling; do
  run $test timeout "${TEST_SECONDS:-300}" "$BUILD/tests/${test}_test" --gtest_brief=1
done
if command -v compute-sanitizer >/dev/null && [[ -z ${NO_SANITIZER:-} ]]; then
  for tool in memcheck racecheck initcheck; do
    run sanitizer_$tool timeout "${TEST_SECONDS:-300}" compute-sanitizer --tool $tool --error-exitcode 1 \
      "$BUILD/tests/mixture_test" --gtest_brief=1 --gtest_filter='*NothingToLearn*:*MoreComponents*:*FailsDoesNot*:*ManyFeatures*'
  done
fi
timeout "${BENCH_SECONDS:-300}" "$BUILD/bench/device_shapes" --json "$out/shapes.json" ${ONLY:+--only "$ONLY"} 2>&1 |
  tee -a "$out/report.txt"
clocks=$(nvidia-smi --query-gpu=clocks.sm,clocks.mem,temperature.gpu,power.draw --format=csv,noheader | head -n 1)
{
  printf '{"device": "%s", "clocks_after": "%s", "commit": "%s",\n "tests": {%s},\n "shapes": ' "$device" "$clocks" \
    "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" "$(IFS=,; echo "${results[*]}")"
  cat "$out/shapes.json" 2>/dev/null || echo null
  echo '}'
} >"$out/report.json"
exit $failed
