"""`dev.py help-pages`: the pictures of the help pages, and their copies for languages without pages of their own."""
