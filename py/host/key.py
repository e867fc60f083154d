"""The name under which everything of the pack is kept in a MODEL's options."""

KEY = "temporal_attention"
