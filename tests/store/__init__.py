"""Tests of the record, with real files and real processes."""
