"""What is inside an attachment: archives, compressed files, documents, mail; read within a budget."""
