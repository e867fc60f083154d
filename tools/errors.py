"""The error of every chore: what was expected, what came, what to do. dev.py prints it as one line."""


class ChoreError(Exception):
    def __init__(self, expected: str, came: str, do: str):
        super().__init__(f"Expected {expected}, but got {came}. {do}")
