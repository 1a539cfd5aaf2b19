"""Who may send what where, and how much of it; pure decisions over compiled rules."""
