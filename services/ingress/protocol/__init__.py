"""The SMTP dialogue: connections, sessions, commands and their arguments."""
