"""SMTP as a client: sessions opened, kept and used for transactions."""
