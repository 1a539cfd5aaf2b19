"""How much at a time a destination gets."""
