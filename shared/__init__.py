"""What the three services share; it imports nothing from them."""
