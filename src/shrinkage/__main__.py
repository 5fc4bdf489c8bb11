"""`python -m shrinkage`: the command `shrinkage`, where its script is not on the path."""

from shrinkage.cli import main

main()
