"""How much memory a gradient with respect to the latent takes."""

from __future__ import annotations

GRAPH = 36  # tensors [tokens, width] that live while one block is run again and gone back through, measured on Wan


def peak_bytes(blocks: int, tokens: int, width: int, element_size: int, keep_attention: bool = False) -> int:
    """Bytes at the peak, besides the weights, for one video: (blocks x (1, or 2 if attention is kept) + GRAPH) x tokens x width.

    Args:
        blocks: number of blocks up to the last tapped one.
        tokens: length of the token sequence.
        width: channels of a token in a block.
        element_size: bytes of an activation.
    """
    return (blocks * (2 if keep_attention else 1) + GRAPH) * tokens * width * element_size
