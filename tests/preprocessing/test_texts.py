"""Texts: words, hashes and vocabularies like keras-preprocessing 1.1.2; JSON both ways."""

import inspect
import json

import keras_preprocessing.text as keras2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgraph.preprocessing.text import (
    Tokenizer,
    hashing_trick,
    one_hot,
    text_to_word_sequence,
    tokenizer_from_json,
)

TEXTS = [
    "The cat sat on the mat; the dog didn't.",
    "A dog -- a CAT!\tAnd\nthe mat",
    "",
    "mat mat mat",
    "naïve Ünïcode ß?",
]
OPTIONS = [
    {},
    {"num_words": 4},
    {"num_words": 4, "oov_token": "<unk>"},
    {"oov_token": "the"},  # a word that occurs too
    {"char_level": True, "num_words": 9},
    {"lower": False, "filters": "t", "split": "a"},
    {"char_level": True, "lower": False, "oov_token": "?"},
    {"document_count": 7},
]
TABLES = ("word_counts", "word_docs", "index_docs", "word_index", "index_word", "document_count")


@given(
    st.text(alphabet="aB c!,'\t_ß", max_size=20),
    st.sampled_from(["!,", "", ["_", "!"], "aB"]),
    st.booleans(),
    st.sampled_from([" ", "c", "  "]),
)
def test_words_like_keras(text, filters, lower, split):
    arguments = (text, filters, lower, split)
    assert text_to_word_sequence(*arguments) == keras2.text_to_word_sequence(*arguments)
    assert one_hot(text, 7, *arguments[1:]) == keras2.one_hot(text, 7, *arguments[1:])
    for function in (None, "md5", len):
        found = hashing_trick(text, 9, function, *arguments[1:])
        assert found == keras2.hashing_trick(text, 9, function, *arguments[1:])
        assert all(1 <= number < 9 for number in found)


def test_the_default_filters():
    filters = inspect.signature(text_to_word_sequence).parameters["filters"].default
    assert filters == '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
    assert text_to_word_sequence("It's a.b/c") == ["it's", "a", "b", "c"]


def test_hashing_refuses():
    with pytest.raises(ValueError, match="unknown hash_function"):
        hashing_trick("a", 5, "sha")
    with pytest.raises(ValueError, match="no number is left for words"):
        hashing_trick("a", 1)


def fitted(options):
    """Our tokenizer and Keras's, fitted on the same texts."""
    both = Tokenizer(**options), keras2.Tokenizer(**options)
    for tokenizer in both:
        tokenizer.fit_on_texts(TEXTS)
        tokenizer.fit_on_texts([["Words", "as", "a", "list"]])
    return both


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_vocabularies_like_keras(options):
    ours, theirs = fitted(options)
    for table in TABLES:
        assert getattr(ours, table) == getattr(theirs, table)
    assert list(ours.word_index) == list(theirs.word_index)
    texts = [*TEXTS, "an unknown word sat", ["The", "list"]]
    numbers = ours.texts_to_sequences(texts)
    assert numbers == theirs.texts_to_sequences(texts)
    assert list(ours.texts_to_sequences_generator(iter(texts))) == numbers
    strange = [*numbers, [0, 1, 2, 99]]
    assert ours.sequences_to_texts(strange) == theirs.sequences_to_texts(strange)
    assert list(ours.sequences_to_texts_generator(strange)) == ours.sequences_to_texts(strange)
    for mode in ("binary", "count", "freq", "tfidf"):
        np.testing.assert_array_equal(
            ours.texts_to_matrix(texts, mode), theirs.texts_to_matrix(texts, mode)
        )
        np.testing.assert_array_equal(
            ours.sequences_to_matrix(strange, mode), theirs.sequences_to_matrix(strange, mode)
        )


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_json_both_ways(options):
    ours, theirs = fitted(options)
    assert json.loads(ours.to_json()) == json.loads(theirs.to_json())
    assert ours.get_config() == theirs.get_config()
    for again in (tokenizer_from_json(ours.to_json()), tokenizer_from_json(theirs.to_json())):
        assert again.texts_to_sequences(TEXTS) == ours.texts_to_sequences(TEXTS)
        assert again.get_config() == ours.get_config()
        again.fit_on_texts(["more the"])  # the counts go on
        assert again.document_count == ours.document_count + 1
    back = keras2.tokenizer_from_json(ours.to_json(indent=2))
    assert back.sequences_to_texts([[1, 2]]) == ours.sequences_to_texts([[1, 2]])


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(1, 8), max_size=6), min_size=1, max_size=4))
def test_fitting_on_numbers_like_keras(sequences):
    ours, theirs = Tokenizer(num_words=6), keras2.Tokenizer(num_words=6)
    for tokenizer in (ours, theirs):
        tokenizer.fit_on_sequences(sequences)
    np.testing.assert_array_equal(
        ours.sequences_to_matrix(sequences, "tfidf"), theirs.sequences_to_matrix(sequences, "tfidf")
    )


def test_matrices_refuse():
    with pytest.raises(ValueError, match="Specify a dimension"):
        Tokenizer().texts_to_matrix(["a"])
    with pytest.raises(ValueError, match="before using tfidf mode"):
        Tokenizer(num_words=3).sequences_to_matrix([[1]], "tfidf")
    with pytest.raises(ValueError, match="Unknown vectorization mode: onehot"):
        Tokenizer(num_words=3).sequences_to_matrix([[1]], "onehot")
