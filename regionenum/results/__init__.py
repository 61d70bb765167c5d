"""Results: what is kept of an enumeration, in memory and on disk: schema, writer, reader, statistics."""
