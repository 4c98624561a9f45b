"""No cache of a face can be asked without saying through which lens (calendaring.lens)."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import caldav_server.dav
from caldav_server.calendaring.lens import Detail, Lens, lens_for, lens_of_one
from caldav_server.dav import caches
from caldav_server.dav.caches.lensed import LensedCache, octets_of
from protocol.model import Access, PrincipalId

FACE = Path(caldav_server.dav.__file__).parent
MODULES = [importlib.import_module(f"{caches.__name__}.{each.name}") for each in pkgutil.iter_modules(caches.__path__)]
CACHES = [
    found
    for module in MODULES
    for _, found in inspect.getmembers(module, inspect.isclass)
    if found.__module__ == module.__name__ and found.__name__.endswith("Cache")
]
STORES = {"LRUCache", "TTLCache", "FIFOCache", "LFUCache", "Cache", "OrderedDict", "WeakValueDictionary", "deque"}
PURE = {"_propfind_of", "_report_of", "supported_by", "allow_header", "paths_below"}
"""Remembered results of functions of their arguments alone, none of which is made of stored data."""


def test_there_are_caches() -> None:
    names = {"LensedCache", "ResponseCache", "ObjectResponseCache", "RenderingCache"}
    assert {each.__name__ for each in CACHES} == names


@pytest.mark.parametrize("cache", CACHES)
def test_whoever_asks_says_through_which_lens(cache: type) -> None:
    """A lens is given with every question, or, for whole answers, the request with its viewer."""
    for name, method in inspect.getmembers(cache, inspect.isfunction):
        if name.startswith("_"):
            continue
        parameters = inspect.signature(method).parameters
        assert "lens" in parameters or "request" in parameters, f"{cache.__name__}.{name}"
        assert all(each.default is each.empty for each in parameters.values()), f"{cache.__name__}.{name}"


def _names(tree: ast.AST) -> set[str]:
    named = {found.id for found in ast.walk(tree) if isinstance(found, ast.Name)}
    return named | {found.attr for found in ast.walk(tree) if isinstance(found, ast.Attribute)}


def _kept_by_functools(tree: ast.AST) -> set[str]:
    kept: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(_names(each) & {"cache", "lru_cache"} for each in node.decorator_list):
                kept.add(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and "lru_cache" in _names(node.value):
            kept |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return kept


def test_nothing_else_in_the_face_remembers() -> None:
    """Stores are made in ``lensed.py`` alone; what is kept by ``functools`` depends on its arguments alone."""
    kept: set[str] = set()
    for path in FACE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        assert path.name == "lensed.py" or not _names(tree) & STORES, path
        kept |= _kept_by_functools(tree)
    assert kept == PURE


def test_two_lenses_share_nothing() -> None:
    cache: LensedCache[str] = LensedCache(100_000)
    anna, berta = PrincipalId(b"anna"), PrincipalId(b"berta")
    lenses = [lens_for(each) for each in (Access.READ, Access.READ_TITLES, Access.READ_FREE_BUSY, Access.NONE)]
    lenses += [lens_of_one(anna), lens_of_one(berta)]
    lenses += [Lens(Detail.WHOLE, anna, 1), Lens(Detail.WHOLE, berta, 1), Lens(Detail.WHOLE, anna, 2)]
    for number, lens in enumerate(lenses):
        assert cache.get(lens, "key") is None
        cache.keep(lens, "key", f"{number}", 10)
    assert [cache.get(lens, "key") for lens in lenses] == [f"{number}" for number in range(len(lenses))]


def test_what_is_remembered_stays_within_its_weight() -> None:
    cache: LensedCache[str] = LensedCache(100_000)
    for number in range(1000):
        key = (f"{number}" * 100, b"x" * 200, ("deep", (f"{number}" * 50,)))
        cache.keep(lens_for(Access.READ), key, "value", 49)
        assert cache.octets <= 100_000
    cache.keep(lens_for(Access.READ), "k" * 200_000, "value", 49)
    assert cache.get(lens_for(Access.READ), "k" * 200_000) is None
    assert octets_of(("a" * 1000, frozenset({b"b" * 1000}))) > 2000
