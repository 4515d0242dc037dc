"""Numbers from texts: words, hashed words, and a vocabulary that is learned from texts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Sequence as Items
from typing import Any

import numpy as np

from kgraph.errors import explain

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'  # all of ASCII's punctuation but the apostrophe
MODES = ("binary", "count", "freq", "tfidf")


def text_to_word_sequence(
    text: str, filters: Iterable[str] = FILTERS, lower: bool = True, split: str = " "
) -> list[str]:
    """The words of a text.

    Args:
        text: the text.
        filters: characters that separate words as `split` does.
        lower: whether to write everything in lower case first.
        split: what separates words.

    Returns:
        The words, none of them empty.

    Example:
        >>> text_to_word_sequence("Don't panic, it's only a graph.")
        ["don't", 'panic', "it's", 'only', 'a', 'graph']
    """
    text = text.lower() if lower else text
    text = text.translate({ord(character): split for character in filters})
    return [word for word in text.split(split) if word]


def hashing_trick(
    text: str,
    n: int,
    hash_function: str | Callable[[str], int] | None = None,
    filters: Iterable[str] = FILTERS,
    lower: bool = True,
    split: str = " ",
) -> list[int]:
    """A number from 1 to n - 1 for each word: its hash; different words may share one.

    Args:
        text: the text.
        n: size of the hash space, 0 included, which no word gets.
        hash_function: "md5", which is the same everywhere, or a function from text to integer;
            default Python's `hash`, which is another one in every process.
        filters: characters that separate words.
        lower: whether to write everything in lower case first.
        split: what separates words.

    Returns:
        One integer a word.

    Raises:
        ValueError: `hash_function` is another text than "md5", or n leaves no number.

    Example:
        >>> hashing_trick("The cat saw the dog", 10, "md5")
        [6, 3, 3, 6, 6]
    """
    if n < 2:
        raise ValueError(
            explain("hashing_trick: no number is left for words", expected="n >= 2", got=n)
        )
    function = hash if hash_function is None else hash_function
    function = _md5 if function == "md5" else function
    if not callable(function):
        raise ValueError(
            explain(
                "hashing_trick: unknown hash_function",
                expected='None, "md5" or a function from text to integer',
                got=repr(hash_function),
            )
        )
    return [function(w) % (n - 1) + 1 for w in text_to_word_sequence(text, filters, lower, split)]


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


def one_hot(
    text: str, n: int, filters: Iterable[str] = FILTERS, lower: bool = True, split: str = " "
) -> list[int]:
    """A number from 1 to n - 1 for each word: `hashing_trick` with Python's `hash`.

    Numbers hold within one process only; `hashing_trick(..., "md5")` gives the same everywhere.

    Args:
        text: the text.
        n: size of the hash space.
        filters: characters that separate words.
        lower: whether to write everything in lower case first.
        split: what separates words.

    Returns:
        One integer a word.

    Example:
        >>> a, b, c = one_hot("well, well well", 50)
        >>> a == b == c, 1 <= a < 50
        (True, True)
    """
    return hashing_trick(text, n, hash, filters, lower, split)


class Tokenizer:
    """A vocabulary: words get numbers from 1 on, the most frequent first; 0 is no word.

    Args:
        num_words: only numbers below are used when texts are turned into numbers.
        filters: characters that separate words.
        lower: whether to write everything in lower case first.
        split: what separates words.
        char_level: whether each character is a word.
        oov_token: a word for all that are unknown or too rare; it gets the number 1.
        document_count: texts seen before.

    Example:
        >>> tokenizer = Tokenizer(oov_token="?")
        >>> tokenizer.fit_on_texts(["the cat sat", "the dog"])
        >>> tokenizer.texts_to_sequences(["the bird sat"])
        [[2, 1, 4]]
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: Iterable[str] = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        document_count: int = 0,
    ) -> None:
        self.num_words = num_words
        self.filters, self.lower, self.split = filters, lower, split
        self.char_level, self.oov_token = char_level, oov_token
        self.document_count = document_count
        self.word_counts: dict[str, int] = {}
        self.word_docs: defaultdict[str, int] = defaultdict(int)
        self.index_docs: defaultdict[int, int] = defaultdict(int)
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: Any) -> Items[str]:
        """The words of a text, of a list of words, or of a text of characters."""
        if isinstance(text, list):
            return [word.lower() for word in text] if self.lower else text
        if self.char_level:
            return text.lower() if self.lower else text
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Counts the words of texts and numbers the vocabulary anew.

        Args:
            texts: texts, or lists of words.
        """
        texts_seen, counts, documents = 0, Counter[str](), Counter[str]()
        for text in texts:  # which may fail: nothing is changed until all are read
            words = self._words(text)
            texts_seen += 1
            counts.update(words)
            documents.update(set(words))
        self.document_count += texts_seen
        for word, count in counts.items():
            self.word_counts[word] = self.word_counts.get(word, 0) + count
        for word, count in documents.items():
            self.word_docs[word] += count
        ranked = sorted(self.word_counts, key=lambda word: -self.word_counts[word])
        vocabulary = ranked if self.oov_token is None else [self.oov_token, *ranked]
        self.word_index = {word: i for i, word in enumerate(vocabulary, 1)}
        self.index_word = {i: word for word, i in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences: Items[Iterable[int]]) -> None:
        """Counts in how many sequences each number occurs, for `sequences_to_matrix`.

        Args:
            sequences: lists of word numbers.
        """
        documents = Counter(i for sequence in sequences for i in set(sequence))
        self.document_count += len(sequences)
        for i, count in documents.items():
            self.index_docs[i] += count

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """The numbers of the words of texts; unknown and too rare words are left out or are
        `oov_token`'s number.

        Args:
            texts: texts, or lists of words.

        Returns:
            One list a text.
        """
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """`texts_to_sequences`, one text at a time.

        Args:
            texts: texts, or lists of words.

        Yields:
            The numbers of one text.
        """
        unknown = None if self.oov_token is None else self.word_index.get(self.oov_token)
        for text in texts:
            found = (self.word_index.get(word) for word in self._words(text))
            numbers = (unknown if i is None or self._too_rare(i) else i for i in found)
            yield [i for i in numbers if i is not None]

    def _too_rare(self, i: int) -> bool:
        return bool(self.num_words) and i >= (self.num_words or 0)

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """The words of numbers, joined by spaces.

        Args:
            sequences: lists of word numbers.

        Returns:
            One text a sequence.
        """
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """`sequences_to_texts`, one sequence at a time.

        Args:
            sequences: lists of word numbers.

        Yields:
            One text.
        """
        for sequence in sequences:
            known = (None if self._too_rare(i) else self.index_word.get(i) for i in sequence)
            words = (self.oov_token if word is None else word for word in known)
            yield " ".join(word for word in words if word is not None)

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> np.ndarray:
        """One row a text, one column a word number.

        Args:
            texts: texts, or lists of words.
            mode: see `sequences_to_matrix`.

        Returns:
            A float64 array of shape (texts, num_words).
        """
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Items[Items[int]], mode: str = "binary") -> np.ndarray:
        """One row a sequence, one column a word number.

        Args:
            sequences: lists of word numbers.
            mode: what stands at a word that occurs c times in a sequence and at all in d of the
                N texts that were seen: "binary" 1, "count" c, "freq" c / length, "tfidf"
                (1 + log c) log(1 + N / (1 + d)).

        Returns:
            A float64 array of shape (sequences, num_words).

        Raises:
            ValueError: the mode is unknown, or nothing was fitted that gives the columns.
        """
        if mode not in MODES:
            raise ValueError(
                explain(f"Unknown vectorization mode: {mode}", expected=f"one of {MODES}")
            )
        if not self.num_words and not self.word_index:
            raise ValueError(
                "Specify a dimension (`num_words` argument), or fit on some text data first."
            )
        if mode == "tfidf" and not self.document_count:
            raise ValueError("Fit the Tokenizer on some data before using tfidf mode.")
        columns = self.num_words or len(self.word_index) + 1
        matrix = np.zeros((len(sequences), columns))
        for row, sequence in zip(matrix, sequences, strict=True):
            for i, count in Counter(sequence).items():
                if i < columns:
                    row[i] = self._weight(mode, i, count, len(sequence))
        return matrix

    def _weight(self, mode: str, i: int, count: int, length: int) -> float:
        if mode == "tfidf":
            inverse = np.log(1 + self.document_count / (1 + self.index_docs.get(i, 0)))
            return float((1 + np.log(count)) * inverse)
        return {"binary": 1.0, "count": count, "freq": count / length}[mode]

    def get_config(self) -> dict[str, Any]:
        """The arguments, and the vocabulary as JSON texts, as Keras writes them."""
        names = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
        return {
            "num_words": self.num_words,
            "filters": self.filters,
            "lower": self.lower,
            "split": self.split,
            "char_level": self.char_level,
            "oov_token": self.oov_token,
            "document_count": self.document_count,
            **{name: json.dumps(getattr(self, name)) for name in names},
        }

    def to_json(self, **options: Any) -> str:
        """The tokenizer as a JSON text, which Keras can read too.

        Args:
            **options: those of `json.dumps`.
        """
        return json.dumps(
            {"class_name": type(self).__name__, "config": self.get_config()}, **options
        )


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """Reads what `Tokenizer.to_json`, Keras's or ours, wrote.

    Args:
        json_string: the text.

    Returns:
        A tokenizer that gives the same numbers.

    Example:
        >>> tokenizer = Tokenizer()
        >>> tokenizer.fit_on_texts(["one two two"])
        >>> tokenizer_from_json(tokenizer.to_json()).word_index
        {'two': 1, 'one': 2}
    """
    config = json.loads(json_string)["config"]
    tables = {
        name: json.loads(config.pop(name))
        for name in ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
    }
    tokenizer = Tokenizer(**config)
    tokenizer.word_counts, tokenizer.word_index = tables["word_counts"], tables["word_index"]
    tokenizer.word_docs.update(tables["word_docs"])
    # JSON's keys are texts.
    tokenizer.index_docs.update({int(i): count for i, count in tables["index_docs"].items()})
    tokenizer.index_word = {int(i): word for i, word in tables["index_word"].items()}
    return tokenizer
