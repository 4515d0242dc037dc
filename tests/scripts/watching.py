"""Watches what the models of a program do: `watching.py PROGRAM FILE` runs it and keeps a journal.

An event of the journal is (method, weights, result): of a compiled model the weights after it, of
the other methods the weights before it. Calls inside of a watched call are not events. The module
imports no Keras itself but for that command, so a second run with another Keras can be watched too.
"""

import pickle
import runpy
import sys

METHODS = ("compile", "fit", "fit_generator", "evaluate", "predict")


def watch(model_class, around, patch=setattr):
    """Passes outermost calls of a class's methods through a function.

    Args:
        model_class: of models, in any Keras.
        around: a function of (model, method's name, call without arguments).
        patch: sets an attribute of the class.
    """
    busy = []

    def wrap(name, method):
        def run(model, *args, **kwargs):
            if busy:
                return method(model, *args, **kwargs)
            busy.append(name)
            try:
                return around(model, name.split("_")[0], lambda: method(model, *args, **kwargs))
            finally:
                busy.pop()

        return run

    for name in METHODS:
        if hasattr(model_class, name):
            patch(model_class, name, wrap(name, getattr(model_class, name)))


def plain(result):
    """What a method returned, without objects of its Keras."""
    history = getattr(result, "history", None)
    return {name: list(values) for name, values in history.items()} if history else result


def main(program, file):
    """Runs a program and writes the journal of its models."""
    import keras

    journal = []

    def around(model, name, call):
        before = [] if name == "compile" else model.get_weights()
        result = call()
        journal.append((name, before or model.get_weights(), plain(result)))
        return result

    watch(keras.Model, around)
    runpy.run_path(program, run_name="__main__")
    with open(file, "wb") as target:
        pickle.dump(journal, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
