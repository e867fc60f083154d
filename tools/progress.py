"""Shows which node of a prompt runs and how far it is: a bar on a terminal, plain lines elsewhere."""

import sys

WIDTH = 30


class Progress:
    def __init__(self, titles: dict[str, str]):
        self.titles = titles
        self.shown = ""
        self.terminal = sys.stdout.isatty()

    def __call__(self, node: str, step: float, steps: float) -> None:
        title = self.titles.get(node, node)
        if steps <= 1:
            text = title
        elif self.terminal:
            text = f"[{'#' * round(WIDTH * step / steps):-<{WIDTH}}] {title} {step:g}/{steps:g}"
        else:
            text = f"{title} {step:g}/{steps:g}"
        if text != self.shown:
            self.show(text)

    def show(self, text: str) -> None:
        end = "" if self.terminal else "\n"
        start = f"\r{' ' * len(self.shown)}\r" if self.terminal else ""
        print(start + text, end=end, flush=True)
        self.shown = text

    def close(self) -> None:
        if self.terminal:
            self.show("")
