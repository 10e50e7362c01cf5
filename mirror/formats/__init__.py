"""One module per published format; pure, and raising only `FormatError` on bad bytes."""
