"""Windows of words: a convolution over numbered words finds a phrase of two."""

import numpy as np
from keras.layers import Activation, Conv1D, Dense, Embedding, GlobalMaxPooling1D
from keras.models import Sequential
from keras.preprocessing import sequence

max_features = 30
maxlen = 20
batch_size = 32
embedding_dims = 12
filters = 24
kernel_size = 3
hidden_dims = 16
epochs = 6

np.random.seed(5)


def draw(count):
    """Texts of 8 to 25 words, and whether word 4 stands right before word 7."""
    texts, labels = [], np.arange(count) % 2
    for label in labels:
        text = np.random.randint(1, max_features, np.random.randint(8, 26)).tolist()
        place = np.random.randint(max(0, len(text) - maxlen), len(text) - 2)
        text[place : place + 2] = (4, 7) if label else (7, 4)
        texts.append(text)
    return texts, labels


x_train, y_train = draw(1200)
x_test, y_test = draw(400)
x_train = sequence.pad_sequences(x_train, maxlen=maxlen)
x_test = sequence.pad_sequences(x_test, maxlen=maxlen)

model = Sequential()
model.add(Embedding(max_features, embedding_dims, input_length=maxlen))
model.add(Conv1D(filters, kernel_size, padding="valid", activation="relu", strides=1))
model.add(GlobalMaxPooling1D())
model.add(Dense(hidden_dims))
model.add(Activation("relu"))
model.add(Dense(1))
model.add(Activation("sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
model.optimizer.lr = 0.01
history = model.fit(
    x_train,
    y_train,
    batch_size=batch_size,
    epochs=epochs,
    shuffle=False,
    verbose=2,
    validation_data=(x_test, y_test),
)
print("accuracy=%.4f last=%.4f" % (history.history["acc"][-1], history.history["val_acc"][-1]))
