# SPDX-License-Identifier: Apache-2.0
"""What ptxas says of kernels and the instruction mix of their loops against a table; see kernel-resources.sh."""
import collections
import pathlib
import re
import struct
import subprocess
import sys

# The low nine bits of an instruction of sm_75 and later; the others are printed as numbers.
OPCODES = {
    0x021: 'FADD', 0x020: 'FMUL', 0x023: 'FFMA', 0x009: 'FMNMX', 0x008: 'FSEL', 0x00b: 'FSETP', 0x108: 'MUFU',
    0x029: 'DADD', 0x028: 'DMUL', 0x02b: 'DFMA', 0x104: 'F2F', 0x110: 'F2F', 0x03c: 'HMMA', 0x010: 'IADD3',
    0x024: 'IMAD', 0x025: 'IMAD', 0x035: 'IMAD', 0x00c: 'ISETP', 0x011: 'LEA', 0x012: 'LOP3', 0x019: 'SHF',
    0x007: 'SEL', 0x002: 'MOV', 0x109: 'POPC', 0x006: 'VOTE', 0x189: 'SHFL', 0x181: 'LDG', 0x186: 'STG',
    0x184: 'LDS', 0x188: 'STS', 0x182: 'LDC', 0x183: 'LDL', 0x187: 'STL', 0x180: 'LD', 0x185: 'ST', 0x11d: 'BAR',
    0x147: 'BRA', 0x145: 'BSSY', 0x141: 'BSYNC', 0x148: 'WARPSYNC',
}
ARITHMETIC = {'FADD', 'FMUL', 'FFMA', 'HMMA'}
HOT = 100  # instructions, half of them arithmetic


def demangle(names):
    text = subprocess.run(['c++filt'], input='\n'.join(names), capture_output=True, text=True, check=True).stdout
    short = [re.sub(r'cavi::kernels::(cuda|components)::|nvcc::|\(anonymous namespace\)::|^void ', '', line)
             for line in text.splitlines()]
    return [re.sub(r'\(.*', '', line) for line in short]


def resources(log):
    """[(architecture and kernel, registers, shared bytes, stack bytes, spilled bytes)] of a log of ptxas -v."""
    kernels = []
    for line in log.read_text().splitlines():
        if match := re.search(r"Compiling entry function '(\w+)' for 'sm_(\w+)'", line):
            kernels.append([(match[2], match[1]), 0, 0, 0, 0])
        elif not kernels:
            continue
        elif match := re.search(r'(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads', line):
            # Of the kernel and of the functions that it calls.
            kernels[-1][3] = max(kernels[-1][3], int(match[1]))
            kernels[-1][4] += int(match[2]) + int(match[3])
        elif match := re.search(r'Used (\d+) registers', line):
            shared = re.search(r'(\d+) bytes smem', line)
            kernels[-1][1:3] = int(match[1]), int(shared[1]) if shared else 0
    names = demangle([k[0][1] for k in kernels])
    return [((k[0][0], name), *k[1:]) for name, k in zip(names, kernels)]


def sections(cubin):
    """(name, bytes) of the sections of an ELF file."""
    data = cubin.read_bytes()
    start, = struct.unpack_from('<Q', data, 0x28)
    size, count, names = struct.unpack_from('<HHH', data, 0x3a)
    headers = [struct.unpack_from('<IIQQQQIIQQ', data, start + i * size) for i in range(count)]
    for header in headers:
        at = headers[names][4] + header[0]
        yield data[at:data.index(b'\0', at)].decode(), data[header[4]:header[4] + header[5]]


def arithmetic(mix):
    return sum(n for op, n in mix.items() if op in ARITHMETIC)


def loops(code):
    """[(address, mix)] of the hot loops of a kernel that hold no smaller loop of HOT instructions."""
    words = [lo | hi << 64 for lo, hi in struct.iter_unpack('<QQ', code)]
    names = [OPCODES.get(word & 0x1ff, f'{word & 0x1ff:#05x}') for word in words]
    field = [word >> 34 & (1 << 48) - 1 for word in words]
    offset = [f - (1 << 48) if f >> 47 else f for f in field]
    branches = [i for i, name in enumerate(names) if name == 'BRA']
    if not branches:
        return []
    # The last branch jumps to itself: it tells whether eight low bits of the offset stand elsewhere (sm_90 and later).
    if offset[branches[-1]] != -4:
        offset = [o << 8 | words[i] >> 16 & 0xff for i, o in enumerate(offset)]
    spans = []
    for i in branches:
        target = i + 1 + offset[i] // 4
        if 0 <= target < i and i - target + 1 >= HOT:
            spans.append((target, i))
    inner = [s for s in spans if not any(o != s and s[0] <= o[0] and o[1] <= s[1] for o in spans)]
    mixes = [(16 * a, collections.Counter(names[a:b + 1])) for a, b in inner]
    return [(at, mix) for at, mix in mixes if 2 * arithmetic(mix) >= mix.total()]


def hot_loops(cubin):
    """{(architecture, kernel): [(address, mix)]} of machine code, the functions that a kernel calls included."""
    architecture = re.search(r'(\d+)\.cubin$', cubin.name)[1]
    texts = [(name[6:], code) for name, code in sections(cubin) if name.startswith('.text.')]
    return {(architecture, name): loops(code) for name, (_, code) in zip(demangle([n for n, _ in texts]), texts)}


def print_mix(architecture, kernel, found):
    for address, mix in found:
        parts = ', '.join(f'{op} {100 * n / mix.total():.0f}%' for op, n in mix.most_common(6))
        print(f'{architecture} {kernel} loop {address:#06x}: {mix.total()}: {parts}')


def cost(found):
    """What the table says of hot loops: instructions, and those of them that are not arithmetic."""
    return ' '.join(f'{mix.total()}/{mix.total() - arithmetic(mix)}' for _, mix in found)


def worse(now, then):
    """Whether hot loops have more of something than the table's, or are others."""
    pairs = [[tuple(map(int, part.split('/'))) for part in text.split()] for text in (now, then)]
    return len(pairs[0]) != len(pairs[1]) or any(a > b for n, t in zip(*pairs) for a, b in zip(n, t))


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith('--')]
    table, build = map(pathlib.Path, arguments)
    found = {}
    for log in sorted(build.rglob('*.ptxas')):
        for key, *numbers in resources(log):
            found[key] = numbers
    if not found:
        sys.exit(f'{build}: no .ptxas files')
    hot = {}
    for cubin in sorted(build.rglob('*.cubin')):
        hot |= hot_loops(cubin)
    if '--mix' in sys.argv:
        for key, loops_of in hot.items():
            print_mix(*key, loops_of)

    lines = [line.split('\t') for line in table.read_text().splitlines() if not line.startswith('#')] \
        if table.exists() else []
    known = {(a, name): [*map(int, numbers), mix] for a, name, *numbers, mix in lines}
    if '--update' in sys.argv:
        if not hot:
            sys.exit(f'{build}: no .cubin files')
        architectures = {a for a, _ in found}
        known = {key: value for key, value in known.items() if key[0] not in architectures} | {
            key: [*value[:3], cost(hot[key])] for key, value in found.items()}
        rows = ['\t'.join([*key, *map(str, value)]) for key, value in
                sorted(known.items(), key=lambda item: (int(item[0][0]), item[0][1]))]
        table.write_text('# architecture, kernel, registers, bytes of static shared memory and of stack, hot loops as '
                         'instructions/those but arithmetic; by scripts/kernel-resources.sh --update\n' +
                         '\n'.join(rows) + '\n')

    wrong = []
    for key, (registers, shared, stack, spilled) in sorted(found.items()):
        architecture, name = key
        where = f'sm_{architecture} {name}'
        if spilled:
            wrong.append(f'{where}: {spilled} bytes spilled')
        most = known.get(key)
        if most is None:
            wrong.append(f'{where}: not in {table}')
            continue
        if any(now > then for now, then in zip((registers, shared, stack), most)):
            wrong.append(f'{where}: {registers} registers, {shared} bytes shared, {stack} bytes of stack; the table has '
                         f'{most[0]}, {most[1]}, {most[2]}')
        if key in hot and worse(cost(hot[key]), most[3]):
            wrong.append(f'{where}: hot loops {cost(hot[key])}; the table has {most[3]}')
    print('\n'.join(wrong) if wrong else
          f'{len(found)} kernels within {table}' + ('' if hot else ', their loops not looked at: no .cubin files'))
    sys.exit(bool(wrong))


if __name__ == '__main__':
    main()
