"""Which mistakes does the diagnosis name?  Confusion tables over the corpus of wrong gradients.

    python benchmarks/diagnosis.py [seed ...]

Each wrong gradient of `tests/corpus.py` is checked, and diagnosed three times: from its arrays alone; with the
fingerprints of the mistakes that its exercise lists; and with that list short of the one that was made.
"""

import sys
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / folder) for folder in ("", "tests")]

from test_diagnosis import SYMPTOMS, Outcome, outcomes, paired  # noqa: E402

VERDICTS = ("named", "tie", "silent", "misnamed")


def table(title: str, rows: list[tuple], head: tuple) -> None:
    rows = [tuple(str(cell) for cell in row) for row in (head, *rows)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    print(f"\n{title}\n")
    rows.insert(1, tuple("-" * width for width in widths))
    for row in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")


def counts(pairs: list[tuple[str, frozenset]]) -> tuple:
    """Cases, and how many of them have each verdict, from pairs of the mistake made and the names given."""
    verdicts = Counter(Outcome.verdict(names, mistake) for mistake, names in pairs)
    return (len(pairs), *(verdicts[v] for v in VERDICTS))


def others(pairs: list[tuple[str, frozenset]]) -> str:
    """The other names that were given, with how often."""
    names = Counter(n for mistake, found in pairs for n in found if n != mistake and n not in SYMPTOMS)
    return ", ".join(f"{name} {count}" for name, count in names.most_common(3))


def confusion(title: str, pairs: list[tuple[str, frozenset]]) -> None:
    mistakes = sorted({mistake for mistake, _ in pairs})
    of = {mistake: [pair for pair in pairs if pair[0] == mistake] for mistake in mistakes}
    rows = [(mistake, *counts(of[mistake]), others(of[mistake])) for mistake in mistakes]
    table(title, [*rows, ("all", *counts(pairs), "")], ("mistake", "cases", *VERDICTS, "other names given"))


def main(seeds: list[int]) -> None:
    found = [outcome for seed in seeds for outcome in outcomes(seed, per_variant=4)]
    listed = [(o.case.mistake, o.listed) for o in found if o.listed is not None]
    clear = [(o.case.mistake, o.arrays) for o in found if o.case.signature and not o.case.degenerate]
    poor = [(o.case.mistake, o.arrays) for o in found if o.case.signature and o.case.degenerate]
    rest = [(o.case.mistake, o.arrays) for o in found if not o.case.signature]
    placed = [o.located for o in found if o.located is not None]

    print(f"{len(found)} wrong gradients, seed {', '.join(map(str, seeds))}.")
    confusion("On the exercise's own list, by fingerprint", listed)
    confusion("With a signature in the arrays, by recognisers", clear)
    confusion("With a signature, on degenerate fixtures (N = 1, square matrices, scalars, at a kink)", poor)
    confusion("Without a signature, by recognisers", rest)
    share = lambda pairs, verdict: f"{counts(pairs)[1 + VERDICTS.index(verdict)] / len(pairs):.1%}"
    summary = [
        ("own list: named", share(listed, "named"), "at least 95 %"),
        ("own list: misnamed or silent", f"{sum(counts(listed)[k] for k in (3, 4))}", "0"),
        ("own list without the mistake: another name invented", sum(o.invented for o in found), "0"),
        ("signature: named", share(clear, "named"), "at least 90 %"),
        ("signature: misnamed", share(clear, "misnamed"), "at most 2 %"),
        ("no signature: misnamed", share(rest, "misnamed"), ""),
        ("first wrong array found", f"{sum(placed) / len(placed):.1%}", "at least 98 %"),
    ]
    table("Summary", summary, ("", "measured", "required"))
    said = Counter(pair for seed in seeds for pair in paired(seed, 60))
    kinds, words = ("both listed", "an array's", "single"), ("exact", "tie", "one", "silent", "misnamed", "invented")
    rows = [(kind, *(said[kind, word] for word in words)) for kind in kinds]
    title = "Two mistakes at once, the second listed or done to an array; and single ones that are not listed"
    table(title, rows, ("", *words))


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or [0])
