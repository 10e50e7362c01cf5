"""The pages and feeds for people, from values to bytes; nothing here is trusted by a program."""
