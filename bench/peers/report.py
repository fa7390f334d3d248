# SPDX-License-Identifier: Apache-2.0
"""The result of compare.py as a Markdown table, a JSON file and a plot."""
import json
import math
import os

NOTES = """\
- `BayesianGaussianMixture` is the same algorithm; its posterior is the exact one for full covariances only. For tied, diag
  and spherical it updates the parameters by approximations that are not its model's posterior, and its bound
  leaves out constants. `GaussianMixture` and Armadillo's `gmm_*` are expectation-maximisation: no posterior, no bound.
- `load` is the system's load average, `share` how much of the processors' time cavi got on all threads: below 80 %
  others were at work, wall times, of peers above all, say little, and their ratio is left out. CPU times of one thread
  still compare.
- Peers compute in float64 (scikit-learn with its BLAS, Armadillo compiled for this machine with OpenMP); cavi takes the
  instruction set at run time.
"""


UNDISTURBED = 0.8  # share of the processors that cavi must get for a ratio of wall times to mean something


def disturbed(peer):
    return peer["share_of_processors"] < UNDISTURBED


def milliseconds(seconds):
    return f"{1e3 * seconds:.3g}" if seconds < 1 else f"{1e3 * seconds:.0f}"


def ratio(value):
    return f"{value:.0f}x" if value >= 20 else f"{value:.1f}x"


def markdown(result):
    m, v = result["machine"], result["machine"]["versions"]
    n = m["threads"]
    lines = [
        f"Milliseconds per sweep, median (minimum), of one machine: {m['processor']}, {n} threads, {m['system']}; "
        + ", ".join(f"{library} {version}" for library, version in v.items())
        + ". A ratio is the median over pairs of neighbouring measurements.",
        "",
        f"| shape | peer | cavi float32, {n} threads | float64 | peer | **float32 ahead** | float64 ahead "
        "| 1 thread, CPU time: cavi float32 | peer | float32 ahead | float64 ahead | load | share |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for shape in result["shapes"]:
        for p in shape["peers"]:
            wall, cpu = p["all_threads_wall"], p["one_thread_cpu"]

            def cell(part, column):
                return f"{milliseconds(part['median'][column])} ({milliseconds(part['minimum'][column])})"

            cells = [shape["name"], p["peer"], cell(wall, "float32"), cell(wall, "float64"), cell(wall, "peer")]
            if disturbed(p):
                cells += ["disturbed", "disturbed"]
            else:
                cells += [f"**{ratio(wall['median_ratio']['float32'])}**", ratio(wall["median_ratio"]["float64"])]
            cells += [cell(cpu, "float32"), cell(cpu, "peer")]
            cells += [ratio(cpu["median_ratio"][x]) for x in ("float32", "float64")] + [f"{p['load']:.1f}"]
            cells += [f"{100 * p['share_of_processors']:.0f} %"]
            lines.append("| " + " | ".join(cells) + " |")
    apart = [p["differs_by"] for s in result["shapes"] for p in s["peers"] if p["differs_by"] is not None]
    apart += [s["time_to_bound"]["peer"]["differs_by"] for s in result["shapes"] if s.get("time_to_bound")]
    notes = NOTES
    if apart:
        notes += (
            "- Same start, same sweeps, same answer: with full covariances the means of `BayesianGaussianMixture` and of cavi "
            f"in float64 are at most {max(apart):.1g} standard deviations apart.\n"
        )
    return "\n".join([*lines, "", *bounds_table(result), notes])


def bounds_table(result):
    """Time to a bound, of the shapes that have it; nothing when none does."""
    rows = [(s["name"], s["time_to_bound"]) for s in result["shapes"] if s.get("time_to_bound")]
    if not rows:
        return []
    lines = [
        "Seconds from the call until the bound is within 1e-6 of the best known (sweeps), all threads, from the same start:",
        "",
        "| shape | cavi float32 | float64 | BayesianGaussianMixture | **float32 ahead** | float64 ahead |",
        "|---|---|---|---|---|---|",
    ]
    for name, b in rows:
        cells = [f"{b[p]['seconds']:.3g} ({b[p]['sweeps']})" for p in ("float32", "float64", "peer")]
        ahead = [ratio(b["peer"]["seconds"] / b[p]["seconds"]) for p in ("float32", "float64")]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | **{ahead[0]}** | {ahead[1]} |")
    return [*lines, ""]


def plot(result):
    """Bars of the ratio, float32 over float64, on a logarithmic axis: wall time, or CPU time if that was disturbed."""
    cpu = any(disturbed(p) for s in result["shapes"] for p in s["peers"])
    key, clock = ("one_thread_cpu", "one thread, CPU time") if cpu else ("all_threads_wall", "all threads, wall time")
    bars = [(s["name"], p["peer"], p[key]["median_ratio"]) for s in result["shapes"] for p in s["peers"]]
    left, width, step, top = 430, 460, 34, 46
    decades = max(1, math.ceil(math.log10(max(max(r.values()) for _, _, r in bars))))
    height = top + step * len(bars) + 30

    def x(value):
        return left + width * max(0.0, math.log10(value)) / decades

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 70}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="18" font-weight="bold">Time of a sweep, peer / cavi: {clock}</text>',
        f'<rect x="{left}" y="26" width="10" height="10" fill="#1f5fa8"/><text x="{left + 15}" y="35">cavi float32</text>',
        f'<rect x="{left + 110}" y="26" width="10" height="10" fill="#9bbfe6"/><text x="{left + 125}" y="35">cavi float64</text>',
    ]
    for d in range(decades + 1):
        out.append(f'<line x1="{x(10**d)}" x2="{x(10**d)}" y1="{top}" y2="{height - 24}" stroke="#ccc"/>')
        out.append(f'<text x="{x(10**d)}" y="{height - 8}" text-anchor="middle">{10**d}x</text>')
    for i, (shape, peer, ratios) in enumerate(bars):
        y = top + step * i
        out.append(f'<text x="{left - 8}" y="{y + 19}" text-anchor="end">{shape}: {peer}</text>')
        for offset, precision, colour in ((5, "float32", "#1f5fa8"), (17, "float64", "#9bbfe6")):
            out.append(f'<rect x="{left}" y="{y + offset}" width="{x(ratios[precision]) - left:.1f}" height="11" fill="{colour}"/>')
            out.append(f'<text x="{x(ratios[precision]) + 4:.1f}" y="{y + offset + 10}">{ratio(ratios[precision])}</text>')
    return "\n".join(out + ["</svg>", ""])


def write(result, out):
    """Replaces OUT.md, OUT.json and OUT.svg, each as a whole."""
    texts = {".md": markdown(result), ".json": json.dumps(result, indent=1) + "\n", ".svg": plot(result)}
    out.parent.mkdir(parents=True, exist_ok=True)
    for suffix, text in texts.items():
        unfinished = out.with_name(out.name + suffix + ".part")
        unfinished.write_text(text)
        os.replace(unfinished, out.with_name(out.name + suffix))
