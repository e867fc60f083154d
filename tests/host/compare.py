"""How far one tensor is from another."""


def relative(one, other):
    """The largest difference as a share of the largest value."""
    return (one - other).abs().max() / other.abs().max()
