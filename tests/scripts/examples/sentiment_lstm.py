"""An LSTM reads reviews of numbered words: praise, blame, and a word that turns the next."""

import numpy as np
from keras.layers import LSTM, Dense
from keras.layers.embeddings import Embedding
from keras.models import Sequential
from keras.preprocessing import sequence

max_features = 40
maxlen = 12
batch_size = 32
NOT, GOOD, BAD = 1, range(2, 12), range(12, 22)

np.random.seed(11)


def review():
    """Words of one review, and whether it praises."""
    words, score = [], 0
    while score == 0:
        words, score = [], 0
        for _ in range(np.random.randint(2, 6)):
            turned, word = np.random.random() < 0.3, np.random.randint(2, max_features)
            words += [NOT, word] if turned else [word]
            score += ((word in GOOD) - (word in BAD)) * (-1 if turned else 1)
    return words, int(score > 0)


def draw(count):
    """Lists of words, and labels."""
    reviews, labels = zip(*[review() for _ in range(count)])
    return list(reviews), np.array(labels)


print("Loading data...")
x_train, y_train = draw(1500)
x_test, y_test = draw(500)
print(len(x_train), "train sequences")
print(len(x_test), "test sequences")
x_train = sequence.pad_sequences(x_train, maxlen=maxlen)
x_test = sequence.pad_sequences(x_test, maxlen=maxlen)
print("x_train shape:", x_train.shape)

model = Sequential()
model.add(Embedding(max_features, 16, input_length=maxlen, mask_zero=True))
model.add(LSTM(24, dropout=0.1, recurrent_dropout=0.1))
model.add(Dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
print("Train...")
model.optimizer.lr = 0.01
model.fit(
    x_train, y_train, batch_size=batch_size, epochs=8, verbose=2, validation_data=(x_test, y_test)
)
score, acc = model.evaluate(x_test, y_test, batch_size=batch_size, verbose=0)
print("loss=%.4f accuracy=%.4f" % (score, acc))
