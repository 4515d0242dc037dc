"""An LSTM over characters learns a rhyme and goes on with it, more or less boldly."""

from __future__ import print_function

import sys

import numpy as np
from keras.callbacks import LambdaCallback
from keras.layers import LSTM, Dense
from keras.models import Sequential
from keras.optimizers import RMSprop

text = (
    "one grey goose goes over the hill, two grey geese go after her still, "
    "three grey geese go down to the mill. "
) * 4
chars = sorted(set(text))
char_indices = dict((c, i) for i, c in enumerate(chars))
indices_char = dict((i, c) for i, c in enumerate(chars))
print("corpus length:", len(text), "chars:", len(chars))

maxlen = 12
sentences = [text[i : i + maxlen] for i in range(len(text) - maxlen)]
next_chars = [text[i + maxlen] for i in range(len(text) - maxlen)]
x = np.zeros((len(sentences), maxlen, len(chars)), dtype=bool)
y = np.zeros((len(sentences), len(chars)), dtype=bool)
for i, sentence in enumerate(sentences):
    for t, char in enumerate(sentence):
        x[i, t, char_indices[char]] = 1
    y[i, char_indices[next_chars[i]]] = 1

np.random.seed(2)
model = Sequential()
model.add(LSTM(48, input_shape=(maxlen, len(chars))))
model.add(Dense(len(chars), activation="softmax"))
model.compile(loss="categorical_crossentropy", optimizer=RMSprop(lr=0.01))


def sample(preds, temperature=1.0):
    """The number of a character, drawn from probabilities that a temperature sharpens."""
    preds = np.log(np.asarray(preds).astype("float64") + 1e-12) / temperature
    preds = np.exp(preds) / np.sum(np.exp(preds))
    return np.argmax(np.random.multinomial(1, preds, 1))


def write(count, temperature):
    """The beginning of the text and the characters that the model adds."""
    generated = text[:maxlen]
    for _ in range(count):
        x_pred = np.zeros((1, maxlen, len(chars)))
        for t, char in enumerate(generated[-maxlen:]):
            x_pred[0, t, char_indices[char]] = 1.0
        preds = model.predict(x_pred, verbose=0)[0]
        generated += indices_char[sample(preds, temperature)]
    return generated


def on_epoch_end(epoch, _):
    """Shows what the model writes."""
    if epoch % 5 == 4:
        for diversity in (0.2, 1.0):
            print("----- diversity:", diversity)
            sys.stdout.write(write(30, diversity) + "\n")


model.fit(
    x,
    y,
    batch_size=32,
    epochs=15,
    shuffle=False,
    verbose=2,
    callbacks=[LambdaCallback(on_epoch_end=on_epoch_end)],
)
written = write(60, 0.05)
known = np.mean([written[i : i + maxlen + 1] in text for i in range(60)])
print("loss=%.4f known=%.4f" % (model.history.history["loss"][-1], known))
