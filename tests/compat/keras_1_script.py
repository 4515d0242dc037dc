"""A program as it was written for Keras 1; it runs under `kgraph run`."""

import numpy as np
from keras import backend as K
from keras.layers import Input, merge
from keras.layers.convolutional import Convolution1D, Convolution2D, MaxPooling1D, MaxPooling2D
from keras.layers.core import Activation, Dense, Dropout, Flatten, Merge
from keras.layers.embeddings import Embedding
from keras.layers.normalization import BatchNormalization
from keras.layers.recurrent import LSTM
from keras.models import Model, Sequential
from keras.objectives import categorical_crossentropy
from keras.optimizers import SGD
from keras.regularizers import l2
from keras.utils.np_utils import to_categorical

np.random.seed(1337)
nb_classes = 3
rows, cols = 8, 8
shape = (1, rows, cols) if K.image_dim_ordering() == "th" else (rows, cols, 1)

X = np.random.random((24, *shape))
Y = to_categorical(np.random.randint(nb_classes, size=24), nb_classes)

model = Sequential()
model.add(Convolution2D(4, 3, 3, border_mode="same", input_shape=shape, init="he_normal"))
model.add(Activation("relu"))
model.add(Convolution2D(4, nb_row=3, nb_col=2, subsample=(1, 1), dim_ordering="default"))
model.add(BatchNormalization(mode=0, gamma_init="one"))
model.add(MaxPooling2D(pool_size=(2, 2), border_mode="valid"))
model.add(Dropout(p=0.25))
model.add(Flatten())
model.add(Dense(output_dim=8, init="uniform", W_regularizer=l2(0.01), bias=True))
model.add(Dense(nb_classes, activation="softmax"))
model.compile(loss=categorical_crossentropy, optimizer=SGD(lr=0.1), metrics=["accuracy"])
assert model.layers[0].kernel_size == (3, 3)
assert model.output_shape == (None, 3)
history = model.fit(X, Y, batch_size=8, nb_epoch=2, verbose=0, validation_split=0.25)
assert len(history.epoch) == 2
assert len(history.history["acc"]) == len(history.history["val_acc"]) == 2

left = Sequential()
left.add(Embedding(20, 6, input_length=5, init="uniform"))
left.add(LSTM(output_dim=4, inner_activation="hard_sigmoid", dropout_W=0.2, dropout_U=0.2))
right = Sequential()
right.add(Convolution1D(nb_filter=3, filter_length=2, input_dim=2, input_length=6))
right.add(MaxPooling1D(pool_length=2, stride=2))
right.add(Flatten())
both = Sequential()
both.add(Merge([left, right], mode="concat", concat_axis=1))
both.add(Dense(1, activation="sigmoid"))
both.compile("rmsprop", "binary_crossentropy")
ids, series = np.random.randint(20, size=(8, 5)), np.random.random((8, 6, 2))
both.fit([ids, series], np.ones((8, 1)), nb_epoch=2, verbose=0)
assert both.predict([ids, series]).shape == (8, 1)

a, b = Input(shape=(4,)), Input(shape=(4,))
merged = merge([Dense(5)(a), Dense(5)(b)], mode="mul")
graph = Model(input=[a, b], output=Dense(1)(merged))
graph.compile("adam", "mse")
graph.fit([np.ones((4, 4))] * 2, np.ones((4, 1)), nb_epoch=1, verbose=0)
print("done")
