"""The figures that the documentation quotes, and how to get them again: ``python -m benchmarks``"""
