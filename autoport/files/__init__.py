"""Weights in files, one format a file; `read.py` and `write.py` hold the tables of endings.

Reading runs no code of the file, looks at headers before it reads tensors, and reads one tensor at a time.
"""
