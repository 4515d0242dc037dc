"""A course's text on MNIST, block by block; lines that say `mended` or `added` are not printed so."""

from __future__ import print_function
import numpy as np
from keras.datasets import mnist
from keras.models import Sequential
from keras.layers.core import Dense, Activation
from keras.optimizers import SGD
from keras.utils import np_utils

np.random.seed(1671) 

n_epoch = 20
batch_size = 128
verbose = 1
n_classes = 10
optimizer = SGD() 
n_hidden = 128
validation_split=0.2

# 1. Data
(X_train, y_train), (X_test, y_test) = mnist.load_data()

print(X_train.shape[0], 'train samples')
print(X_test.shape[0], 'test samples')

# 2. Preprocessing
RESHAPED = 784
X_train = X_train.reshape(60000, RESHAPED)
X_test = X_test.reshape(10000, RESHAPED)

X_train = X_train.astype('float32')        
X_test = X_test.astype('float32')

X_train /= 255
X_test /= 255

Y_train = np_utils.to_categorical(y_train, n_classes)
Y_test = np_utils.to_categorical(y_test, n_classes)

# 3. The model
model = Sequential()

model.add(Dense(n_hidden, input_shape=(RESHAPED,)))
model.add(Activation('relu'))
model.add(Dense(n_hidden))
model.add(Activation('relu'))

model.add(Dense(n_classes))
model.add(Activation('softmax'))
model.summary()

# 4. Compiling
model.compile(loss='categorical_crossentropy',
              optimizer=optimizer,
              metrics=['accuracy'])

# 5. Training
history = model.fit(X_train, Y_train,
                    batch_size=batch_size, epochs=n_epoch,
                    verbose=verbose, validation_split=validation_split)

# 6. Evaluation
score = model.evaluate(X_test, Y_test, verbose=verbose)

print("\nTest score:", score[0])
print('Test accuracy:', score[1])

import matplotlib  # added
matplotlib.use('svg')  # added: no window
import matplotlib.pyplot as plt

print(history.history.keys())

plt.plot(history.history['acc'])
plt.plot(history.history['val_acc'])
plt.title('model accuracy')
plt.ylabel('accuracy')
plt.xlabel('epoch')
plt.legend(['train', 'test'], loc='upper left')
plt.show()

plt.plot(history.history['loss'])
plt.plot(history.history['val_loss'])
plt.title('model loss')
plt.ylabel('loss')
plt.xlabel('epoch')
plt.legend(['train', 'test'], loc='upper left')
plt.show()

# 7. Predictions
X = X_test[:1000]  # added: the text has no X
predictions = model.predict(X)

# 8. Files
model.save('model.h5')
jsonModel = model.to_json()  # mended: to_jason
model.save_weights('modelWeight.h5')

modelWt = model.load_weights('modelWeight.h5')  # mended: modelweight.h5

# Improvements, 1: dropout
from keras.layers.core import Dense, Dropout, Activation

n_epoch = 250
DROPOUT = 0.3

first = model  # added: the test looks at it
model = Sequential()
model.add(Dense(n_hidden, input_shape=(RESHAPED,)))
model.add(Activation('relu'))

model.add(Dropout(DROPOUT))

model.add(Dense(n_hidden))
model.add(Activation('relu'))

model.add(Dropout(DROPOUT))

model.add(Dense(n_classes))
model.add(Activation('softmax'))
model.summary()

# Improvements, 2: regularization
from keras import regularizers 
second = model  # added: the test trains it
model = Sequential()  # added
model.add(Dense(64, input_dim=64, kernel_regularizer=regularizers.l2(0.01)))

# Improvements, 3: another optimizer
from keras.optimizers import Adam
optimizer = Adam()

# The modules: layers
from keras.layers import Dense, Activation, Dropout, Input, Masking
from keras.layers import Reshape, Lambda, RepeatVector, Permute

from keras.layers.embeddings import Embedding

from keras.layers import Concatenate, Dot, Multiply

from keras.layers import BatchNormalization

from keras.layers import Bidirectional, TimeDistributed

from keras.layers import Conv1D
from keras.layers import GRU,  LSTM

# The modules: preprocessing, callbacks, initializers
from keras.preprocessing import sequence
from keras.preprocessing.sequence import pad_sequences

from keras.callbacks import LambdaCallback
from keras.callbacks import ModelCheckpoint

from keras.initializers import glorot_uniform
