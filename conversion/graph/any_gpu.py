"""A float graph without what some phones' engines lack: the OpenGL back end has no mean over channels, MediaTek's compiler no SQUARE.

Exact; for the files that phones run. What it costs on XNNPACK stands in docs/speed.md.
"""

from math import ceil, log2

from conversion.graph.int8_forms import norm_as_products
from conversion.graph.ir import Graph


def for_any_gpu(graph: Graph) -> Graph:
    """A graph of the same function whose pixel norms are products and convolutions.

    Args:
        graph: not changed.
    """
    graph = graph.copy()
    for node in list(graph.nodes.values()):
        if node.op == "pixel_norm":
            # A power of two below 1 / channels is exact as a weight in half precision, and the sum stays below the largest square.
            # OpenGL's shader for 1x1 convolutions computes up to four pixels and repeats what follows, and its RSQRT declares a
            # constant: that does not compile. A dilated one, which for 1x1 is the same, has the general shader of one pixel.
            norm_as_products(graph, node, share=2.0 ** -ceil(log2(node.shape[-1])), dilation=2)
    return graph
