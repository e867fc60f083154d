"""`dev.py checklist`: thirty points of a first-class pack, each checked on the real host, with its evidence."""
