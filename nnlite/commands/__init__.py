"""The subcommands of `nnlite`, one per file: `arguments` are its options, its docstring ends its help, `run` works."""
