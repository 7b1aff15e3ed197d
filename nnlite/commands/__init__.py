"""The subcommands of `nnlite`, one per file: its docstring is its help, `arguments` its options, `run` its work."""
