"""Reports of a match: one model of rows, and views that are drawn from it.

table       for a terminal, in 80 columns and without colour as well
markdown    for a pull request
json        for machines
html        both graphs side by side, to look at in a browser
"""

from autoport.report.rows.build import build_report
from autoport.report.rows.rows import Report, Row
from autoport.report.rows.tensors import Status, TensorRow

__all__ = ["Report", "Row", "Status", "TensorRow", "build_report"]
