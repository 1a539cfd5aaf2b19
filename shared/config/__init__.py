"""Configuration: the keys as types (model), how they are read (load), and units (units)."""
