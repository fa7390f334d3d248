# SPDX-License-Identifier: Apache-2.0
"""What a sweep asks of a GPU, counted from the algorithms: ours, cuVS' and Flash-GMM's.

    python3 bench/peers/count_gpu.py

For each pair of a row and a component, all of which matter: multiply-adds that are issued, and bytes that blocks read
from or write to L2 or memory: rows and parameters as often as blocks fetch them, what one kernel leaves for the next,
sums. Sources, as of 2026: rapidsai/cuvs cpp/src/cluster/gmm_impl.cuh and gmm_kernels.cuh (commits c4a016d, 66c643e),
IBM/Flash-GMM flash_gmm_full_h100.py and flash_gmm_diag_h100.py (commits 1031da0, 4f78382). Nothing here is measured.
"""

# Multiply-adds per clock of a multiprocessor of an H100 (132 at 1.98 GHz): float32; TF32 and bfloat16 of tensor cores.
RATES = {'float32': 128, 'TF32': 1024, 'bfloat16': 2048}
H100 = 132 * 1.98e9
SHAPES = [(10_000_000, 16, 64, 'full'), (10_000_000, 64, 64, 'full'), (10_000_000, 64, 256, 'diag')]


def triangle(n):
    return n * (n + 1) // 2


def fused(d, k, kind, points):
    """A block keeps `points` rows: they, the parameters, and float64 sums of the slab read and written, once for each;
    the record of a full covariance, with its padding, once for 128 of them, the centre for moments once more."""
    sums = d + (d if kind == 'diag' else 16 * triangle(d // 4))
    adds = 4 * d if kind == 'diag' else 2 * triangle(d)
    parameters = 4 * (sums + 1) / points if kind == 'diag' else 4 * (sums + 4) / 128 + 4 * d / points
    return 'once', 'float32', adds, 4 * d / k + parameters + 16 * sums / points


def tensor(d, k):
    """Tiles of 128 rows; a block for all components scores, one for four sums. Three products of halves, of whole blocks
    of 8 x 8 and 16 x 8 of the triangle; sums are flushed every 512 rows."""
    roots, squares = 64 * triangle(d // 8), 128 * (d // 16) * (d // 16 + 1)
    reads = 1 + -(-k // 4)
    logits = 4 + 3 * 4 + 4  # written; read twice and written by the normaliser; read
    sums = 16 * (16 * triangle(d // 4) + d) / 512
    return f'{reads} times', 'TF32', 3 * (roots + squares), 4 * d * reads / k + 4 * (roots + d) / 128 + logits + sums


def ours(d, k, kind):
    if kind == 'diag':
        return fused(d, k, kind, 64)
    return tensor(d, k) if d >= 32 else fused(d, k, kind, 256)


def cuvs(d, k, kind):
    """Logits, responsibilities and, one component after the other, centred rows go through memory, 65,536 rows at a time;
    a full covariance scores all rows a second time, for moments about the new means."""
    normalise = 4 + 3 * 4 + 4  # logits written, read for the largest, the sum and the result, which is written
    if kind == 'diag':
        scores = 4 * d / 64 + 8 * d / 256
        moments = 3 * 4 + 4 * 4 * d / k  # three products read the result; squares of rows
        return f'{k // 64 + 2} times', 'float32', 4 * d, scores + normalise + moments
    scores = 4 * d + 4 * (triangle(d) + d) / 64 + normalise
    moments = 2 * 4 + 32 + 3 * 4 * d  # two products, a sector for a responsibility, rows read, centred, read
    return f'{3 * k} times', 'float32', 2 * triangle(d) + d * d, 2 * scores + moments


def flash_gmm(d, k, kind):
    """One kernel for the normaliser and one that scores again and adds up; square matrices, 256 rows, 64 components."""
    if kind == 'diag':
        return f'{1 + k // 64} times', 'bfloat16', 6 * d, 4 * d / k + 4 * d / 128 + 4 * d / 64
    factors, atomics = 2 * (2 * d * d + 4 * d) / 256, 4 * (d * d + d + 1) / 256
    return f'{1 + 2 * k // 64} times', 'bfloat16', 3 * d * d, 4 * d / k + factors + 2 * 4 * d / 64 + atomics


def short(x):
    return f'{x:,.0f}' if x >= 100 else f'{x:.3g}'


def main():
    print('| rows, features, components | | rows read | multiply-adds per pair | ms at the peak of an H100 | '
          'bytes per pair | GB |')
    print('|---|---|---|---|---|---|---|')
    for n, d, k, kind in SHAPES:
        for name, count in ('cavi', ours), ('cuVS', cuvs), ('Flash-GMM', flash_gmm):
            reads, unit, adds, size = count(d, k, kind)
            ms = 1e3 * n * k * adds / (RATES[unit] * H100)
            print(f'| {n // 1_000_000}M, {d}, {k} {kind} | {name} | {reads} | {adds:,} {unit} | {short(ms)} | {short(size)} | '
                  f'{short(1e-9 * n * k * size)} |')


if __name__ == '__main__':
    main()
