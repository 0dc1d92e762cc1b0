#!/usr/bin/env python3
"""Prints unicode_words.inc: which code points GitHub keeps in a heading's slug, and how they are lowered.

Run as `python3 unicode_words_generate.py > unicode_words.inc`. Kept are letters, marks, decimal and letter numbers and
connector punctuation, which is what github-slugger and the \\p{Word} of GitHub's own filter agree on.
"""
import sys
import unicodedata

KEPT = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "Pc"}


def ranges():
    start = None
    for point in range(0x80, 0x110001):
        kept = point < 0x110000 and unicodedata.category(chr(point)) in KEPT
        if kept and start is None:
            start = point
        elif not kept and start is not None:
            yield start, point - 1
            start = None


def lowered():
    """Runs (first, last, step, delta) of code points whose lower case is one other code point."""
    run = None
    for point in range(0x80, 0x110000):
        text = chr(point).lower()
        if len(text) != 1 or text == chr(point):
            continue
        delta = ord(text) - point
        if run and run[3] == delta and (point - run[1]) == (run[2] or point - run[1]) and point - run[1] <= 2:
            run = (run[0], point, point - run[1], delta)
            continue
        if run:
            yield run
        run = (point, point, 0, delta)
    yield run


def emit(name, kind, rows):
    print(f"constexpr {kind} {name}[] = {{")
    line = "   "
    for row in rows:
        item = " {" + ", ".join(f"{v}" if v < 0 else f"0x{v:X}" for v in row) + "},"
        if len(line) + len(item) > 118:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};")


print(f"// Made by unicode_words_generate.py from Unicode {unicodedata.unidata_version}. Not edited by hand.")
print("// clang-format off")
emit("kept_ranges", "CodePointRange", ranges())
emit("lowered_runs", "LoweredRun", ((a, b, s or 1, d) for a, b, s, d in lowered()))
print("// clang-format on")
