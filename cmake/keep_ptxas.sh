#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a compiler. What ptxas says of its kernels goes to <object>.ptxas, for scripts/kernel_resources.py.
for ((i = 1; i < $#; ++i)); do
  [[ ${!i} == -o ]] && next=$((i + 1)) && object=${!next}
done
"$@" 2>"$object.ptxas"
status=$?
grep -vE '^ptxas info|bytes stack frame|^$' "$object.ptxas" >&2
exit $status
