"""A multilayer perceptron tells ten patterns apart whose bits flip now and then."""

from __future__ import print_function

import numpy as np
from keras.callbacks import EarlyStopping
from keras.layers.core import Activation, Dense, Dropout
from keras.models import Sequential
from keras.optimizers import RMSprop
from keras.utils import np_utils

batch_size = 64
nb_classes = 10
nb_epoch = 15
bits = 100

np.random.seed(1337)
patterns = np.random.randint(0, 2, (nb_classes, bits))


def draw(count):
    """Patterns of which one bit in four has flipped, and their numbers."""
    y = np.random.randint(nb_classes, size=count)
    flips = np.random.random((count, bits)) < 0.25
    return np.logical_xor(patterns[y], flips).astype("float32"), y


X_train, y_train = draw(2000)
X_test, y_test = draw(500)
print(X_train.shape[0], "train samples")
print(X_test.shape[0], "test samples")

Y_train = np_utils.to_categorical(y_train, nb_classes)
Y_test = np_utils.to_categorical(y_test, nb_classes)

model = Sequential()
model.add(Dense(64, input_shape=(bits,)))
model.add(Activation("relu"))
model.add(Dropout(0.2))
model.add(Dense(64))
model.add(Activation("relu"))
model.add(Dropout(0.2))
model.add(Dense(nb_classes))
model.add(Activation("softmax"))
model.summary()

model.compile(loss="categorical_crossentropy", optimizer=RMSprop(lr=0.001), metrics=["accuracy"])
history = model.fit(
    X_train,
    Y_train,
    batch_size=batch_size,
    epochs=nb_epoch,
    verbose=2,
    validation_split=0.1,
    callbacks=[EarlyStopping(monitor="val_acc", patience=8)],
)
score = model.evaluate(X_test, Y_test, verbose=0)
right = np.mean(model.predict_classes(X_test, verbose=0) == y_test)
print(
    "accuracy=%.4f classes=%.4f first=%.4f last=%.4f"
    % (score[1], right, history.history["acc"][0], history.history["val_acc"][-1])
)
