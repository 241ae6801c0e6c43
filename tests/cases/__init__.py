"""Faults that were found from outside, each as a test: what is right is said in its docstring."""
