#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Takes one synchronisation out of the CUDA backend at a time (a barrier, a fence, an event wait, a wait of the host) and
# runs the tests on the emulated device: every mutant should make one of them fail. The target mutation_suites builds them.
#
#   scripts/mutations.sh [--sample N] [BUILD]     default: every site; BUILD=build/release
#
# A sample is every N-th site of those that the quicker suites pass, beginning at one that depends on the day, without
# those that scripts/mutations-survivors.txt explains: they take longest. Prints survivors and the score; fails when there
# are survivors that are not explained.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
sample=1
[[ ${1:-} == --sample ]] && sample=$2 && shift 2
build=${1:-build/release}/tests/cuda
export CAVI_TEST_DEVICE=cuda
# The quickest first.
quicker=("cuda_device_matrix_checked_test" "cuda_kmeans_checked_test" "cuda_sampler_checked_test"
  "cuda_predictor_checked_test" "cuda_engine_reference_checked_test"
  "cuda_backend_checked_test" "cuda_mixture_sweep_checked_test")
suites=("${quicker[@]}" "cuda_mixture_checked_test --gtest_filter=*/full:*/tied:Mixture.*")
tour=("${suites[@]}")
((sample == 1)) || tour=("${quicker[@]}")

text_of() { sed -n "${1#*:}p" "kernels/cuda/${1%:*}" | sed 's/^ *//'; }
explained() { grep -qsF "${1%:*}: $(text_of "$1")" scripts/mutations-survivors.txt; }

sites=$(mktemp)
trap 'rm -f "$sites"' EXIT
declare -A limit  # seconds, far above what a suite takes: some mutants do not end
for suite in "${tour[@]}"; do
  began=$SECONDS
  EMULATOR_SITES=$sites $build/$suite --gtest_brief=1 >/dev/null 2>&1 || { echo "$suite fails as it is" >&2; exit 1; }
  limit[$suite]=$((30 + 5 * (SECONDS - began)))
done
mapfile -t all < <(sort -u "$sites" | while IFS=: read -r file line; do
  [[ -e kernels/cuda/$file ]] || continue
  ((sample == 1)) || ! explained "$file:$line" || continue
  echo "$file:$line"
done)

killed=0 survivors=() tried=0
first=$((10#$(date +%j) % sample))
for ((i = first; i < ${#all[@]}; i += sample)); do
  site=${all[i]} dead=
  for suite in "${suites[@]}"; do
    if ! EMULATOR_DISABLE=$site timeout "${limit[$suite]:-400}" $build/$suite --gtest_brief=1 >/dev/null 2>&1; then
      dead=yes
      break
    fi
  done
  tried=$((tried + 1))
  if [[ $dead ]]; then killed=$((killed + 1)); else survivors+=("$site"); fi
done

unexplained=0
for site in "${survivors[@]}"; do
  if explained "$site"; then
    echo "survives, as explained: $site  $(text_of "$site")"
  else
    echo "SURVIVES: $site  $(text_of "$site")"
    unexplained=$((unexplained + 1))
  fi
done
echo "$killed of $tried mutants killed, of ${#all[@]} sites"
[[ $unexplained == 0 && $tried -gt 0 ]]
