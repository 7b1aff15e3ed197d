"""The subcommands of `nnlite`, one a file: its docstring is its help, `arguments` its options, `run` its work."""
