"""A plan as a script that a person would check in; `render_script` writes it."""

from autoport.script.render import render_script

__all__ = ["render_script"]
