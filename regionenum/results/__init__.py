"""Results: schema, writer, reader and the summary object."""
