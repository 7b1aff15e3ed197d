"""The parts, and the functions that write them into a program: one idea a file."""
