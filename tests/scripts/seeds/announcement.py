"""A news page on Keras 2, block by block; lines that say `mended` or `added` are not printed so."""

# In 30 seconds
from keras.models import Sequential

model = Sequential()

from keras.layers import Dense

model.add(Dense(units=64, activation='relu', input_dim=100))
model.add(Dense(units=10, activation='softmax'))

model.compile(loss='categorical_crossentropy',
              optimizer='sgd',
              metrics=['accuracy'])

import keras  # added: the text imports it further down
model.compile(loss=keras.losses.categorical_crossentropy,
              optimizer=keras.optimizers.SGD(lr=0.01, momentum=0.9, nesterov=True))

import numpy as np  # added
np.random.seed(4)  # added
x_train = np.random.random((1000, 100))  # added: the text has no data
y_train = keras.utils.to_categorical(x_train[:, :10].argmax(1), 10)  # added
x_test, y_test = x_train[900:], y_train[900:]  # added
x_batch, y_batch = x_train[:32], y_train[:32]  # added
# x_train and y_train are Numpy arrays --just like in the Scikit-Learn API.
model.fit(x_train, y_train, epochs=5, batch_size=32)

model.train_on_batch(x_batch, y_batch)

loss_and_metrics = model.evaluate(x_test, y_test, batch_size=128)

classes = model.predict(x_test, batch_size=128)

# Sequential
from keras.models import Sequential
from keras.layers import Dense, Activation

model = Sequential([
    Dense(32, input_shape=(784,)),
    Activation('relu'),
    Dense(10),
    Activation('softmax'),
])
listed = model  # added: the test looks at it

model = Sequential()
model.add(Dense(32, input_dim=784))
model.add(Activation('relu'))

import keras
from keras.models import Sequential
from keras.layers import Dense, Dropout, Activation
from keras.optimizers import SGD

import numpy as np
x_train = np.random.random((1000, 20))
y_train = keras.utils.to_categorical(np.random.randint(10, size=(1000, 1)), num_classes=10)
x_test = np.random.random((100, 20))
y_test = keras.utils.to_categorical(np.random.randint(10, size=(100, 1)), num_classes=10)

model = Sequential()
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
stacked = model  # added

# Functional
from keras.layers import Input, Embedding, LSTM, Dense
from keras.models import Model

headline_data = np.random.randint(1, 10000, (32, 100))  # added: the text has no data
additional_data = np.random.random((32, 5))  # added
labels = (headline_data[:, -1:] > 5000).astype(int)  # added

main_input = Input(shape=(100,), dtype='int32', name='main_input')

x = Embedding(output_dim=512, input_dim=10000, input_length=100)(main_input)

lstm_out = LSTM(32)(x)

auxiliary_output = Dense(1, activation='sigmoid', name='aux_output')(lstm_out)

auxiliary_input = Input(shape=(5,), name='aux_input')
x = keras.layers.concatenate([lstm_out, auxiliary_input])

x = Dense(64, activation='relu')(x)
x = Dense(64, activation='relu')(x)
x = Dense(64, activation='relu')(x)

main_output = Dense(1, activation='sigmoid', name='main_output')(x)

model = Model(inputs=[main_input, auxiliary_input], outputs=[main_output, auxiliary_output])

model.compile(optimizer='rmsprop', loss='binary_crossentropy',
              loss_weights=[1., 0.2])


model.fit([headline_data, additional_data], [labels, labels],
          epochs=50, batch_size=32)
by_order = model.history  # added

model.compile(optimizer='rmsprop',
              loss={'main_output': 'binary_crossentropy', 'aux_output': 'binary_crossentropy'},
              loss_weights={'main_output': 1., 'aux_output': 0.2})

model.fit({'main_input': headline_data, 'aux_input': additional_data},
          {'main_output': labels, 'aux_output': labels},
          epochs=50, batch_size=32)
by_name = model.history  # added

# Models
functional = model  # added
config = model.get_config()
model = Model.from_config(config)
again = model  # added
# or, for Sequential:
config = stacked.get_config()  # added
model = Sequential.from_config(config)

from keras.models import model_from_json

json_string = model.to_json()
model = model_from_json(json_string)

from keras.models import model_from_yaml

yaml_string = model.to_yaml()
model = model_from_yaml(yaml_string)

# Layers
layer = Dense(32)
config = layer.get_config()
reconstructed_layer = Dense.from_config(config)

# The methods that the text lists
functional.summary()  # added, and so are the lines below
functional.set_weights(functional.get_weights())
functional.save_weights('weights.h5')
functional.load_weights('weights.h5', by_name=False)
functional.load_weights('weights.h5', by_name=True)
shared = Dense(2)
places = shared(Input((3,))), shared(Input((3,)))
shared.set_weights([2 * w for w in shared.get_weights()])
single = functional.get_layer('aux_output')
single.input, single.output, single.input_shape, single.output_shape
at_nodes = [
    (shared.get_input_at(i), shared.get_output_at(i), shared.get_input_shape_at(i), shared.get_output_shape_at(i))
    for i in range(2)
]
