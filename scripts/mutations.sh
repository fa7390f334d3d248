#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Takes one synchronisation out of the CUDA backend at a time (a barrier, a fence, an event wait, a wait of the host) and
# runs the tests on the emulated device: every mutant should make one of them fail. The target mutation_suites builds them.
#
#   scripts/mutations.sh [--sample N] [BUILD]     default: every site; BUILD=build/release
#
# A sample is every N-th site of those that the quicker suites pass, beginning at one that depends on the day, without
# those that scripts/mutations-survivors.txt explains: they take longest. Prints what becomes of each mutant, and the
# score; fails when some survive that are not explained.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
sample=1
[[ ${1:-} == --sample ]] && sample=$2 && shift 2
build=${1:-build/release}/tests/cuda
export CAVI_TEST_DEVICE=cuda
# The quickest first.
quicker=("cuda_device_matrix_checked_test" "cuda_kmeans_checked_test" "cuda_sampler_checked_test"
  "cuda_engine_reference_checked_test" "cuda_mixture_sweep_checked_test" "cuda_predictor_checked_test"
  "cuda_backend_checked_test")
suites=("${quicker[@]}" "cuda_mixture_checked_test --gtest_filter=*/full:*/tied:Mixture.*")
tour=("${suites[@]}")
((sample == 1)) || tour=("${quicker[@]}")

text_of() { sed -n "${1#*:}p" "kernels/cuda/${1%:*}" | sed 's/^ *//'; }
explained() { grep -qsF "${1%:*}: $(text_of "$1")" scripts/mutations-survivors.txt; }

# Of each suite N.command, N.limit (seconds, far above what it takes: some mutants do not end) and N.sites that it passes.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for i in "${!suites[@]}"; do
  echo "$build/${suites[i]}" >"$work/$i.command"
  echo 400 >"$work/$i.limit"
done
for i in "${!tour[@]}"; do
  began=$SECONDS
  read -ra command <"$work/$i.command"
  EMULATOR_SITES=$work/$i.sites "${command[@]}" --gtest_brief=1 >/dev/null 2>&1 ||
    { echo "${suites[i]} fails as it is" >&2; exit 1; }
  echo $((30 + 5 * (SECONDS - began))) >"$work/$i.limit"
done
mapfile -t all < <(sort -u "$work"/*.sites | while IFS=: read -r file line; do
  [[ -e kernels/cuda/$file ]] || continue
  ((sample == 1)) || ! explained "$file:$line" || continue
  echo "$file:$line"
done)

try_site() {
  local i command
  for ((i = 0; i < $2; ++i)); do
    [[ ! -e $1/$i.sites ]] || grep -qxF "$3" "$1/$i.sites" || continue
    read -ra command <"$1/$i.command"
    if ! EMULATOR_DISABLE=$3 timeout "$(<"$1/$i.limit")" "${command[@]}" --gtest_fail_fast >/dev/null 2>&1; then
      echo "killed $3"
      return
    fi
  done
  echo "survives $3"
}
export -f try_site
for ((i = 10#$(date +%j) % sample; i < ${#all[@]}; i += sample)); do echo "${all[i]}"; done |
  xargs -P "$(nproc)" -I {} bash -c "try_site $work ${#suites[@]} {}" | tee "$work/fates"

unexplained=0
while read -r site; do
  if explained "$site"; then
    echo "explained: $site  $(text_of "$site")"
  else
    echo "UNEXPLAINED: $site  $(text_of "$site")"
    unexplained=$((unexplained + 1))
  fi
done < <(sed -n 's/^survives //p' "$work/fates")
tried=$(wc -l <"$work/fates")
echo "$(grep -c ^killed "$work/fates") of $tried mutants killed, of ${#all[@]} sites"
((unexplained == 0 && tried > 0))
