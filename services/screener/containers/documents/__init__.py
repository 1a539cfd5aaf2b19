"""Documents and mail that hold other files, or programs of their own: Office, PDF, RTF, OneNote, HTML, TNEF, CMS."""
