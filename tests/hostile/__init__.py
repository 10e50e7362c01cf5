"""A corpus of hostile files, how it goes through the box, and the judge of what is published."""
