"""A reader, a censor and the world on one machine, in networks that no packet leaves."""
