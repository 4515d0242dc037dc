"""Names of custom objects: scopes, registration, and what a configuration may say."""

import pytest

from kgraph.utils import generic_utils
from kgraph.utils.registry import (
    CustomObjectScope,
    Registry,
    custom_object_scope,
    find_custom,
    get_custom_objects,
    register_keras_serializable,
    registered_name,
)


class Thing:
    def __init__(self, size=1):
        self.size = size

    def get_config(self):
        return {"size": self.size}


THINGS = Registry("thing", {"Thing": Thing, "thing": Thing})


def test_scopes_nest_and_end():
    with CustomObjectScope({"a": 1, "b": 1}, {"b": 2}):
        assert (find_custom("a"), find_custom("b")) == (1, 2)
        with custom_object_scope({"a": 3}):
            assert find_custom("a") == 3
            assert find_custom("a", {"a": 4}) == 4
        assert find_custom("a") == 1
    assert find_custom("a") is None


def test_a_scope_can_be_entered_twice():
    scope = CustomObjectScope({"a": 1})
    with scope, scope:
        assert find_custom("a") == 1
    assert find_custom("a") is None


def test_the_global_names_of_keras_2s_module():
    assert generic_utils.get_custom_objects() is get_custom_objects()
    get_custom_objects()["mine"] = Thing
    try:
        assert isinstance(THINGS.get("mine"), Thing)
    finally:
        del get_custom_objects()["mine"]


def test_registered_classes_are_saved_under_their_full_name():
    @register_keras_serializable("pack", "Other")
    class Renamed(Thing):
        pass

    config = THINGS.serialize(Renamed(5))
    assert config == {"class_name": "pack>Other", "config": {"size": 5}}
    again = THINGS.get(config)
    assert type(again) is Renamed
    assert again.size == 5
    of_keras_3 = {"class_name": "Renamed", "config": {"size": 2}, "registered_name": "pack>Other"}
    assert type(THINGS.deserialize(of_keras_3)) is Renamed


def test_names_and_configurations():
    assert THINGS.get("thing").size == 1
    assert THINGS.get({"class_name": "Thing", "config": {"size": 3}}).size == 3
    assert THINGS.get({"class_name": "Thing", "config": {"size": 3, "new": None}}).size == 3
    with pytest.raises(TypeError, match="new"):
        THINGS.get({"class_name": "Thing", "config": {"new": 1}})
    assert THINGS.serialize(None) is None
    assert THINGS.serialize(len) == "len"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: THINGS.get("thong"), "Unknown thing: thong"),
        (lambda: THINGS.get(1), "Could not interpret thing identifier: 1"),
        (lambda: THINGS.deserialize({"class_name": "Thing"}), "Improper config format"),
        (lambda: registered_name(lambda: 1), "A lambda cannot be saved"),
        (lambda: THINGS.serialize(1), "Cannot serialize thing: 1"),
    ],
)
def test_errors(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_a_class_without_configuration_cannot_be_registered():
    with pytest.raises(ValueError, match="does not have a get_config"):

        @register_keras_serializable()
        class Bare:
            pass
