"""A stateful RNN remembers over batches what a stateless one cannot: a mean over a long past."""

from __future__ import print_function

import numpy as np
from keras.layers import LSTM, Dense
from keras.models import Sequential

tsteps, lahead, batch_size = 8, 1, 1
input_len, epochs = 640, 6

np.random.seed(1986)
data_input = np.random.uniform(-0.5, 0.5, input_len).astype("float32")
expected_output = np.zeros(input_len, "float32")
for i in range(1, input_len):
    expected_output[i] = 0.9 * expected_output[i - 1] + 0.3 * data_input[i]
x = data_input.reshape(input_len // tsteps, tsteps, 1)
y = expected_output.reshape(input_len // tsteps, tsteps)[:, -1:]
to_train = 64
x_train, y_train, x_test, y_test = x[:to_train], y[:to_train], x[to_train:], y[to_train:]


def create_model(stateful):
    """An LSTM with a linear answer, for batches of a fixed size."""
    model = Sequential()
    model.add(LSTM(16, input_shape=(tsteps, 1), batch_size=batch_size, stateful=stateful))
    model.add(Dense(1))
    model.compile(loss="mse", optimizer="adam")
    model.optimizer.lr = 0.01
    return model


print("Creating Stateful Model...")
model_stateful = create_model(stateful=True)
for i in range(epochs):
    print("Epoch", i + 1, "/", epochs)
    # The last state for a sample is the first for the next one, so they stay in order.
    model_stateful.fit(x_train, y_train, batch_size=batch_size, epochs=1, verbose=2, shuffle=False)
    model_stateful.reset_states()
model_stateful.predict(x_train, batch_size=batch_size, verbose=0)
predicted_stateful = model_stateful.predict(x_test, batch_size=batch_size, verbose=0)

print("Creating Stateless Model...")
model_stateless = create_model(stateful=False)
model_stateless.fit(
    x_train, y_train, batch_size=batch_size, epochs=epochs, verbose=2, shuffle=False
)
predicted_stateless = model_stateless.predict(x_test, batch_size=batch_size, verbose=0)


def error(predicted):
    """Mean squared error in units of the variance."""
    return np.mean((predicted - y_test) ** 2) / np.var(y_test)


print("stateful=%.4f stateless=%.4f" % (error(predicted_stateful), error(predicted_stateless)))
