"""Files with one text in each record: text lines, JSON Lines, CSV, TSV and Parquet."""
