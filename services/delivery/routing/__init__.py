"""Where mail goes: routes of the configuration, MX records, addresses."""
