"""A blog's page on Keras 2, block by block; lines that say `mended` or `added` are not printed so."""

# Building
from keras.models import Sequential

model = Sequential()

from keras.layers import Dense

model.add(Dense(units=64, activation='relu', input_dim=100))
model.add(Dense(units=10, activation='softmax'))

# Compiling
model.compile(loss='categorical_crossentropy',
              optimizer='sgd',
              metrics=['accuracy'])

import keras  # added: the text imports it further down
model.compile(loss=keras.losses.categorical_crossentropy,
              optimizer=keras.optimizers.SGD(lr=0.01, momentum=0.9, nesterov=True))

# Training
import numpy as np  # added
np.random.seed(3)  # added
x_train = np.random.random((1000, 100))  # added: the text has no data
y_train = keras.utils.to_categorical(x_train[:, :10].argmax(1), 10)  # added
x_test, y_test = x_train[900:], y_train[900:]  # added
x_batch, y_batch = x_train[:32], y_train[:32]  # added
before = model.evaluate(x_train, y_train)  # added
# x_train and y_train are Numpy arrays --just like in the Scikit-Learn API.
model.fit(x_train, y_train, epochs=5, batch_size=32)

# By hand
model.train_on_batch(x_batch, y_batch)

# Evaluation
loss_and_metrics = model.evaluate(x_test, y_test, batch_size=128)

# Predictions
classes = model.predict(x_test, batch_size=128)
first = model  # added: the test looks at it

# The example
import keras
from keras.models import Sequential
from keras.layers import Dense, Dropout, Activation
from keras.optimizers import SGD

# Generate dummy data
import numpy as np
x_train = np.random.random((1000, 20))
y_train = keras.utils.to_categorical(np.random.randint(10, size=(1000, 1)), num_classes=10)
x_test = np.random.random((100, 20))
y_test = keras.utils.to_categorical(np.random.randint(10, size=(100, 1)), num_classes=10)

model = Sequential()
# Dense(64) is a fully-connected layer with 64 hidden units.
# in the first layer, you must specify the expected input data shape:
# here, 20-dimensional vectors.
model.add(Dense(64, activation='relu', input_dim=20))
model.add(Dropout(0.5))
model.add(Dense(64, activation='relu'))
model.add(Dropout(0.5))
model.add(Dense(10, activation='softmax'))

sgd = SGD(lr=0.01, decay=1e-6, momentum=0.9, nesterov=True)
model.compile(loss='categorical_crossentropy',
              optimizer=sgd,
              metrics=['accuracy'])

model.fit(x_train, y_train,
          epochs=20,
          batch_size=128)
score = model.evaluate(x_test, y_test, batch_size=128)
