"""Readers and a writer at once, for a while."""
