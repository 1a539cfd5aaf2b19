"""Who a client is: mechanisms, users, passwords."""
