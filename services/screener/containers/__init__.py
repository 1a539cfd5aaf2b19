"""What is inside an attachment: names of members, read without unpacking anything."""
