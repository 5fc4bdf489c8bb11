"""`python -m shrinkage.cli`: the command."""

from shrinkage.cli import main

main()
