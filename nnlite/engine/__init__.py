"""What `network.compile()` makes: whole rows of layers as one program. Optional: without this folder all else works.

    layer by layer   [all samples] conv → [all samples] ReLU → [all samples] pool → ...    each time through memory
    as a program     [sample 1] conv → ReLU → pool → ...   [sample 2] conv → ReLU → ...    stays in the cache

    compiled.py     what a compiled network prepared, and how it is asked
    lowering.py     which layer, rule and signal is which operation: the only file that knows both sides
    segments.py     which layers run as one row, and which by themselves
    rows.py         a row of layers, written as a flat program: a list of lines that one driver walks
    layout.py       its layers in numbers: which can be in a row, and where their weights and activations lie
    driver.py       Part, Place, Program, and the driver; pointers.py: what a loop does with pointers
    loops/          the parts, and the functions that write them into a program; one idea a file
    cache.py        compiled code is kept on disk, and made again when a file of this folder has changed
    chunks.py       a large batch in chunks of samples, on NNLITE_THREADS threads
    incremental.py  occlusion that runs again only what a window can reach; patch_steps.py

A line says which **part** runs, and on which numbers. Up through Conv2d and ReLU, and down again by LRP-ε, it reads

    to_strips          input        -> work         a convolution: loops/convolution.py
    to_columns         work         -> work
    matrix_by_matrix   weights work -> activations  BLAS: loops/product.py
    add_to_planes      weights      -> activations  the bias
    forward            activations  -> above        loops/relu.py
    divide             signal above -> work         s = R / (z + ε sgn z): loops/lrp.py
    matrix_by_matrix   weights work -> work         c, the way back with s
    from_columns       work         -> work
    from_strips        work         -> signal on the input
    multiply           input        -> signal on the input: R = a c

A part is a short loop over raw pointers, compiled by itself when a program first needs it, and called by its address:
a program pays for what it uses. A rule with other weights, LRP-γ say, is the same parts on other weights.

A compiled network holds everything that it prepared, so that nothing else remembers anything. What it cannot run, a
layer class or a rule of the user's, a method replaced before `compile`, runs plainly, by the lines that lessons show.

**Nothing checks a bound.** What a program may touch follows from the sizes that it was written with, and
tests/engine/test_rows.py lays guards around every array. Two rules keep it safe: arrays go to the driver as arrays, so
they live as long as the call and no address of an array is ever kept; addresses of parts are never pickled with a
program, but found again in the other process.
"""

from .compiled import Program, compiled

__all__ = ["Program", "compiled"]
