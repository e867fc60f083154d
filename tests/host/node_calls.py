"""Nodes called as the host calls them."""


def defaults(node, **given):
    """The values a fresh node in the editor has, but for what is given; sockets without a link are left out."""
    wanted = [i for i in node.define_schema().inputs if i.id in given or hasattr(i, "default")]
    return {i.id: given[i.id] if i.id in given else i.default for i in wanted}


def call(node, **given):
    """The NodeOutput of a node with these values."""
    return node.execute(**defaults(node, **given))


def run(node, **given):
    """What comes out of its sockets."""
    return call(node, **given).args
