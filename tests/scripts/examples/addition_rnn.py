"""Sequence to sequence: an LSTM reads a sum as characters, and another writes the result."""

from __future__ import print_function

import numpy as np
from keras import layers
from keras.models import Sequential


class CharacterTable(object):
    """Rows of one-hot vectors for strings of some characters, and back."""

    def __init__(self, chars):
        self.chars = sorted(set(chars))
        self.char_indices = dict((c, i) for i, c in enumerate(self.chars))
        self.indices_char = dict((i, c) for i, c in enumerate(self.chars))

    def encode(self, C, num_rows):
        """One row a character."""
        x = np.zeros((num_rows, len(self.chars)))
        for i, c in enumerate(C):
            x[i, self.char_indices[c]] = 1
        return x

    def decode(self, x, calc_argmax=True):
        """The string of rows or of numbers."""
        if calc_argmax:
            x = x.argmax(axis=-1)
        return "".join(self.indices_char[x] for x in x)


DIGITS, MAXLEN = 1, 3
chars = "0123456789+ "
ctable = CharacterTable(chars)
RNN = layers.LSTM
HIDDEN_SIZE, BATCH_SIZE, LAYERS = 64, 20, 1

questions = ["%d+%d" % (a, b) for a in range(10) for b in range(10)]
expected = [str(eval(q)).ljust(DIGITS + 1) for q in questions]
x = np.zeros((len(questions), MAXLEN, len(chars)), dtype=bool)
y = np.zeros((len(questions), DIGITS + 1, len(chars)), dtype=bool)
for i, (question, result) in enumerate(zip(questions, expected)):
    x[i] = ctable.encode(question[::-1], MAXLEN)
    y[i] = ctable.encode(result, DIGITS + 1)
np.random.seed(29)
indices = np.arange(len(y))
np.random.shuffle(indices)
x = x[indices]
y = y[indices]

model = Sequential()
model.add(RNN(HIDDEN_SIZE, input_shape=(MAXLEN, len(chars))))
model.add(layers.RepeatVector(DIGITS + 1))
for _ in range(LAYERS):
    model.add(RNN(HIDDEN_SIZE, return_sequences=True))
model.add(layers.TimeDistributed(layers.Dense(len(chars), activation="softmax")))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.optimizer.lr = 0.01
model.summary()

for iteration in range(1, 6):
    print()
    print("-" * 50)
    print("Iteration", iteration)
    history = model.fit(x, y, batch_size=BATCH_SIZE, epochs=20, shuffle=False, verbose=0)
    for row in range(3):
        preds = model.predict(x[row : row + 1], verbose=0).argmax(axis=-1)
        q = ctable.decode(x[row])[::-1]
        correct = ctable.decode(y[row])
        guess = ctable.decode(preds[0], calc_argmax=False)
        print("Q", q, "T", correct, "right" if correct == guess else "wrong", guess)
print("loss=%.4f accuracy=%.4f" % (history.history["loss"][-1], history.history["acc"][-1]))
