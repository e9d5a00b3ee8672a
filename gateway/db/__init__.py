"""Keep what is true: engine, transactions, tables and their migrations."""
