"""How wide a block's output is: the number of channels of each of its video tokens."""

from __future__ import annotations

from collections import Counter

from .families import BlockSites


def hidden_size(block: BlockSites) -> int:
    """The width that most linear layers around the block's first attention read (the first such, of equally many).

    Those that project queries, keys, values and the result all read the block's stream; in every family they outnumber the
    others there (modulations, text, the inside of an MLP). The sizes are the layers' own, so quantised weights do not matter.
    """
    module, _ = block.attentions[0]
    widths = Counter(layer.in_features for layer in module.modules() if hasattr(layer, "in_features"))
    return widths.most_common(1)[0][0]
