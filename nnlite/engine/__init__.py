"""A row of layers as one flat program: a list of lines that one driver walks, for one sample after the other.

    layer by layer   [all samples] conv → [all samples] ReLU → [all samples] pool → ...    each time through memory
    as a program     [sample 1] conv → ReLU → pool → ...   [sample 2] conv → ReLU → ...    stays in the cache

A line says which **part** runs, and on which numbers. Up through Conv2d, ReLU and down again by LRP-ε, it reads

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

Python writes the program (nnlite/rows.py, by the functions in loops/), once for a row and what it shall do. A part is
a short loop over raw pointers, compiled by itself when a program first needs it, and called by its address: ten parts
take a fraction of the time of one function that holds all of it, and a program pays for what it uses. A rule with other
weights, LRP-γ say, is the same parts on other weights.

    driver.py   Part, Place, Program, and the driver
    pointers.py what a loop does with pointers
    cache.py    compiled code is kept on disk, and made again when a file of this folder has changed
    loops/      the parts, and the functions that write them into a program; one idea a file

**Nothing checks a bound.** What a program may touch follows from the sizes that it was written with, and
tests/test_rows.py lays guards around every array. Two rules keep it safe: arrays go to the driver as arrays, so they
live as long as the call and no address of an array is ever kept; addresses of parts are never pickled with a program,
but found again in the other process.
"""
