"""The schema files, and what brings a database to them."""
