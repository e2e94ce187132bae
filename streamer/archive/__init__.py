"""The archive: topics kept as Parquet by day and tenant, exactly once."""
