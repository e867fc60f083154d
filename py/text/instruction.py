"""The instruction with which a language model writes a video synopsis, with one worked example (VSTAR, appendix C)."""

from __future__ import annotations

from ..core.errors import TemporalAttentionError

EXAMPLE_PROMPT = "a candle burns down on a wooden table"
EXAMPLE_STATES = (
    "A tall white candle, freshly lit, on a wooden table in a dark room, warm light, static close-up",
    "A white candle burned down to half, wax running down it, on a wooden table in a dark room, warm light, static close-up",
    "A small stub of a white candle in a pool of wax, a low flame, on a wooden table in a dark room, dim light, static close-up",
)
EXAMPLE_SECONDS = 6
RULES = """Rules:
- Each state is one sentence that describes a single moment as a picture: subject, place, light, style and camera.
- Each state is understood without the others: name the subject in full every time, and never write "then" or "now".
- Subject, place, style and camera stay the same in all states unless the prompt says otherwise. Only what the \
prompt makes change, changes, and a little from each state to the next.
- The first state is how the video begins, the last one how it ends.
- Describe what is seen. No feelings, no sounds, no story, no cuts."""


def synopsis_instruction(prompt: str, states: int, seconds: float = 0.0) -> str:
    """The text to send to a language model.

    Args:
        prompt: what the whole video shows.
        states: how many states are asked for; 0 = as many as the change needs.
        seconds: length of the video; 0 = without times.

    Raises TemporalAttentionError for an empty prompt, or times that are none.
    """
    prompt = " ".join(prompt.split())
    if not prompt:
        raise TemporalAttentionError("the prompt of a video", "an empty text", "Say what the video shows.")
    if not 0 <= seconds < float("inf"):
        raise TemporalAttentionError(
            "a length in seconds, or 0 for no times", f"{seconds:g}", "Set it to the length of the video."
        )
    count = f"{states} key state{'s' * (states > 1)}" if states else "as few key states as show its whole course (2 to 8)"
    return "\n\n".join(
        [
            f"You plan the key states of a short video. Split the video prompt at the end into {count}, in the order of time.",
            RULES,
            f"Answer with the states only, {_form(seconds)}. No title, no introduction, no closing remark.",
            f"Example\nVideo prompt: {EXAMPLE_PROMPT}\n{_example(timed=seconds > 0)}",
            f"Your task\nVideo prompt: {prompt}",
        ]
    )


def _form(seconds: float) -> str:
    if not seconds:
        return "as a numbered list, one state a line"
    return (
        "one a line, each line beginning with the second at which the state is reached. "
        f"The video lasts {seconds:g} seconds: the first line begins with 0s: and the last with {seconds:g}s:, the others lie "
        "evenly between unless the change is faster at some time"
    )


def _example(timed: bool) -> str:
    """The worked example in the form that is asked for."""
    if not timed:
        return "\n".join(f"{i}. {text}" for i, text in enumerate(EXAMPLE_STATES, 1))
    step = EXAMPLE_SECONDS / (len(EXAMPLE_STATES) - 1)
    lines = [f"{i * step:g}s: {text}" for i, text in enumerate(EXAMPLE_STATES)]
    return "\n".join([f"(this one lasts {EXAMPLE_SECONDS} seconds)", *lines])
