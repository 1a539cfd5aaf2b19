"""SMTP's own words as values: replies, addresses, header fields."""
