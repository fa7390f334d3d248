#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a compiler. What ptxas says of its kernels goes to <object>.ptxas and, of nvcc, their machine code to
# <object>.compute_<architecture>.cubin, for scripts/kernel_resources.py. ccache would not cache what nvcc keeps: under
# it there is no machine code.
for ((i = 1; i < $#; ++i)); do
  [[ ${!i} == -o ]] && next=$((i + 1)) && object=${!next}
done
keep=()
if [[ $1 == *nvcc ]]; then
  mkdir -p "$object.keep"
  keep=(--keep "--keep-dir=$object.keep")
fi
"$@" "${keep[@]}" 2>"$object.ptxas"
status=$?
for cubin in "$object".keep/*.cubin; do
  [[ -e $cubin ]] && mv "$cubin" "$object.${cubin#*.keep/*.}"
done
rm -rf "$object.keep"
grep -vE '^ptxas info|bytes stack frame|^$' "$object.ptxas" >&2
exit $status
