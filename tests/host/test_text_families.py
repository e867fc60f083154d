"""The two nodes that need text name the families that have it: as many as take it, and no others."""

import pytest
import torch
from families import tiny_networks

from pack.nodes import tempo_control, video_synopsis_prompt
from pack.py.core.errors import TemporalAttentionError
from pack.py.host.families import adapter_of

NETWORKS = tiny_networks()


@pytest.mark.parametrize("node", [tempo_control, video_synopsis_prompt], ids=lambda node: node.__name__.rpartition(".")[2])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_family_is_named_where_it_is_taken(name, node):
    with torch.inference_mode():
        model = NETWORKS[name].load()
    named = any(family in adapter_of(model).family for family in node.READS_TEXT.replace(" or ", ", ").split(", "))
    try:
        node.check_reads_text(model)
    except TemporalAttentionError as error:
        assert not named and f"Use {node.READS_TEXT}." in str(error)
    else:
        assert named
