"""What a part is: the names that decide what opens it, and its type by content (SCREENING section 3c)."""
