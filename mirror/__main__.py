"""`python -m mirror` is the command `mirror`."""

from mirror.cli import main

main()
