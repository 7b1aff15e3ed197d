"""What `network.compile()` makes: whole rows of layers as one program. Optional: without this folder all else works.

compiled.py     the program of a network: what it prepared, and how it is asked
lowering.py     which layer, rule and signal is which operation: the only file that knows both sides
segments.py     which layers run as one row, and which by themselves
rows.py         a row of layers as one table and one array of weights
row.py          the compiled loops of a row, up and down
chunks.py       a large batch in chunks of samples, on NNLITE_THREADS threads
incremental.py  occlusion that runs again only what a window can reach; patch_steps.py, patches.py: layer by layer

A program holds everything that it prepared, so that nothing else remembers anything. What it cannot run, a layer class
or a rule of the user's, a method replaced before `compile`, runs plainly inside it, by the lines that lessons show.
"""

from .compiled import Program, compiled

__all__ = ["Program", "compiled"]
