"""Where the weights stand in what trainers save: nested in other dictionaries, under prefixes, beside other networks.

By rule, not by a list of trainers: what holds arrays is found wherever it is nested; optimizers, discriminators and losses are put
aside; averaged weights go before the others; and names may have a prefix that all of them share. What stays unclear is refused.
A single number among the arrays is a trainer's counter or score: no network here has one as a weight.
"""

import re
from collections.abc import Iterator, Mapping

import numpy as np

State = dict[str, np.ndarray]

_MAX_DEPTH = 4
_ASIDE = re.compile(
    r"optim|sched|scaler|disc|net_?d($|_)|^d$|loss|criter|percep|vgg|lpips|metric|psnr|ssim|teach|n_averaged|num_updates|^step$|decay", re.I
)
"""Beside the network: what trains and measures it, and what counts."""
_AVERAGED = re.compile(r"(^|[_.])(ema|swa|averaged?)([_.]|$)|ema$", re.I)
_USUAL = re.compile(r"state_?dict|^params$|^model|^net|^weights$|^generator$|^g$|network", re.I)
_INSERTED = re.compile(r"(^|\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)")
"""What PyTorch's own wrappers put between the parts of a name, at any place of it."""
_OPTIMIZER = {"exp_avg", "exp_avg_sq", "momentum_buffer"}


def find_state(tree: object) -> tuple[State | None, list[str]]:
    """The names and arrays in what a checkpoint holds.

    Args:
        tree: what was saved; dictionaries may contain themselves.

    Returns:
        The state, None if there is none or no way to choose; and where the ones that could be meant stand, a dotted path each.
    """
    found = {path: arrays for path, arrays in _states(tree) if not _OPTIMIZER & arrays.keys()}
    if not found:
        return None, []
    best = max(map(_rank, found))
    chosen = [path for path in found if _rank(path) == best]
    return (found[chosen[0]] if len(chosen) == 1 else None), [".".join(path) or "the file itself" for path in chosen]


def _states(tree: object) -> Iterator[tuple[tuple[str, ...], State]]:
    """(Path, arrays) of every dictionary that holds arrays, the outer ones first, each once."""
    level: list[tuple[tuple[str, ...], object]] = [((), tree)]
    seen: set[int] = set()
    for _ in range(_MAX_DEPTH):
        below: list[tuple[tuple[str, ...], object]] = []
        for path, node in level:
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, Mapping):
                arrays = {str(name): value for name, value in node.items() if isinstance(value, np.ndarray) and value.ndim}
                if arrays:
                    yield path, arrays
                named = [(str(name)[:_QUOTED], value) for name, value in node.items()]
            else:
                named = [(str(place), value) for place, value in enumerate(node if isinstance(node, (list, tuple)) else ())]
            below += [((*path, name), value) for name, value in named if isinstance(value, (Mapping, list, tuple))]
        level = below


_QUOTED = 80


def _rank(path: tuple[str, ...]) -> tuple[bool, bool, bool]:
    """What is wanted most is largest."""
    aside = any(_ASIDE.search(part) for part in path)
    averaged = any(_AVERAGED.search(part) for part in path)
    usual = not path or bool(_USUAL.search(path[-1]))
    return not aside, averaged, usual


def without_inserted(state: State) -> State | None:
    """The same without what PyTorch's wrappers insert into names; None if two names become one."""
    plain = {_INSERTED.sub("", name).removeprefix("."): array for name, array in state.items()}
    return plain if len(plain) == len(state) else None


def readings(state: State) -> Iterator[State]:
    """The state as it is, then without one prefix after the other that all its names share.

    Names of what stands beside a network (`_ASIDE`) do not count; of two prefixes one may be the averaged weights'.
    """
    yield state
    for _ in range(_MAX_DEPTH):
        groups: dict[str, State] = {}
        for name, array in state.items():
            prefix, dot, rest = name.partition(".")
            if not _ASIDE.search(prefix):
                groups.setdefault(prefix if dot else "", {})[rest] = array
        averaged = [prefix for prefix in groups if _AVERAGED.search(prefix)]
        chosen = averaged if len(groups) == 2 and len(averaged) == 1 else list(groups)
        if len(chosen) != 1 or "" in groups:
            return
        state = groups[chosen[0]]
        yield state
