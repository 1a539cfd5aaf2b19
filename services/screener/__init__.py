"""The screener: from a message off the wire to the same message, a stripped one, a report, or quarantine."""
