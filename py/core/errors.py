"""The one error type of the pack: what was expected, what came, what to do."""


class TemporalAttentionError(ValueError):
    """A mistake that the user of a node can fix.

    Args:
        expected: what the node needs, in the user's words.
        came: what it got instead.
        do: the next thing to try.
    """

    def __init__(self, expected: str, came: str, do: str):
        super().__init__(f"Expected {expected}, but got {came}. {do}")
        self.expected, self.came, self.do = expected, came, do
