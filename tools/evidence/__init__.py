"""What the techniques do to the demo model, measured: one experiment a file, found by its name."""
