"""Text for a terminal: what comes from outside, such as a layer's name, is shown there and never obeyed."""

from collections.abc import Collection, Sequence


def plain(text: str) -> str:
    r"""The text with all that cannot be printed as an escape, so that a name cannot colour, clear or reorder a line.

    >>> print(plain("conv\x1b[31m1"))
    conv\x1b[31m1
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def plain_lines(text: str) -> str:
    """The same, line by line."""
    return "\n".join(map(plain, text.split("\n")))


def listed(names: Sequence[str], between: str = ", ") -> str:
    """Names in a sentence: of many the first ten and the last ten.

    >>> listed(["conv1", "relu1"]), len(listed(["conv1"] * 1000))
    ('conv1, relu1', 143)
    """
    return between.join(names if len(names) <= 20 else [*names[:10], "...", *names[-10:]])


def columns(rows: Sequence[Sequence[str]], left: Collection[int]) -> str:
    """A table of plain text: the columns with the numbers in `left` are set to the left, the others to the right.

    >>> print(columns([("name", "n"), ("conv1", "10")], left=[0]))
    name    n
    conv1  10
    """
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            f"{v:<{w}}" if i in left else f"{v:>{w}}" for i, (v, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )
