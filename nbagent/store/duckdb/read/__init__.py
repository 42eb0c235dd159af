"""Everything that is read from the record, by subject."""
