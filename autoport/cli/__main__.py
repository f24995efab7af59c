"""`python -m autoport.cli`."""

from autoport.cli import main

main()
