"""The three services and the command line. They meet only in the broker and never import each other."""
