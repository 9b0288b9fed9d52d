#!/usr/bin/env python3
"""What steps wrote, by function, or by source line of some functions, for one call of a function that is named.

    report.py BINARY FILE PER [FUNCTION ...]

BINARY: linked with -no-pie, with symbols, and with -g1 for lines. PER and FUNCTION: parts of demangled names.
Columns: instructions and calls for each call of PER.
"""
import array
import bisect
import collections
import subprocess
import sys

LIBRARIES = 0x10000000  # addresses of a program without -pie lie below


def symbols(binary):
    found = []
    for line in subprocess.run(["nm", "-C", "--defined-only", binary], capture_output=True, text=True).stdout.splitlines():
        address, kind, name = line.split(" ", 2)
        if kind in "tTwWvV":
            found.append((int(address, 16), name))
    return sorted(found)


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    binary, file, per, *functions = sys.argv[1:]
    table = symbols(binary)
    if not table:
        sys.exit(f"{binary} has no symbols: link it with them, and with -no-pie")
    begins = [address for address, _ in table]
    steps = array.array("Q")
    with open(file, "rb") as f:
        steps.frombytes(f.read())

    counts, calls, lines = collections.Counter(), collections.Counter(), collections.defaultdict(dict)
    for address, count in collections.Counter(steps).items():
        if address >= LIBRARIES:
            counts["(libraries)"] += count
            continue
        begin, name = table[bisect.bisect_right(begins, address) - 1]
        counts[name] += count
        if address == begin:
            calls[name] += count
        if any(part in name for part in functions):
            lines[name][address] = count
    n = max((count for name, count in calls.items() if per in name), default=0)
    if n == 0:
        sys.exit(f"'{per}' was not called in these {len(steps)} steps")

    print(f"{n} calls of {per}, {len(steps) / n:.1f} instructions each")
    if not functions:
        for name, count in counts.most_common(80):
            print(f"{count / n:8.1f} {calls[name] / n:6.2f} {name.replace('manta::', '')[:110]}")
    for name, by_address in lines.items():
        print(f"{sum(by_address.values()) / n:8.1f} {name}")
        addresses = sorted(by_address)
        places = subprocess.run(["addr2line", "-e", binary] + [hex(a) for a in addresses], capture_output=True, text=True,
                                check=True).stdout.splitlines()
        by_line = collections.Counter()
        for address, place in zip(addresses, places):
            by_line[place.split(" ")[0].rsplit("/", 1)[-1]] += by_address[address]
        for place, count in by_line.most_common():
            print(f"{count / n:14.1f} {place}")


if __name__ == "__main__":
    main()
