"""What the layers inside of a trained network answer, asked with a function of the backend."""

import numpy as np
from keras import backend as K
from keras.layers import Dense, Dropout
from keras.models import Model, Sequential

np.random.seed(13)
x = np.random.normal(size=(256, 2)).astype("float32")
y = (x[:, 0] * x[:, 1] > 0).astype("float32")

model = Sequential()
model.add(Dense(units=16, activation="tanh", input_dim=2))
model.add(Dropout(0.1))
model.add(Dense(units=8, activation="tanh"))
model.add(Dense(units=1, activation="sigmoid"))
model.compile("adam", "binary_crossentropy", metrics=["acc"])
K.set_value(model.optimizer.lr, 0.02)
model.fit(x, y, epochs=40, batch_size=32, verbose=0)

# One function for all layers, with the learning phase as its last argument.
inp = model.input
outputs = [layer.output for layer in model.layers]
functor = K.function([inp, K.learning_phase()], outputs)
testing = functor([x, 0.0])
training = functor([x, 1.0])
assert [a.shape for a in testing] == [(256, 16), (256, 16), (256, 8), (256, 1)]
assert np.array_equal(testing[0], testing[1])
dropped = np.mean(training[1] == 0)

# The same with a model, and by hand.
get_3rd_layer_output = K.function([model.layers[0].input], [model.layers[2].output])
middle = Model(inputs=model.input, outputs=model.layers[2].output)
assert np.allclose(get_3rd_layer_output([x])[0], middle.predict(x), atol=1e-6)
weights, biases = model.layers[0].get_weights()
assert np.allclose(testing[0], np.tanh(x.dot(weights) + biases), atol=1e-5)

# The slope of the answer at every point, against finite differences.
grads = K.gradients(K.sum(model.output), [model.input])
slopes = K.function([model.input], grads)([x])[0]
ahead, behind = (model.predict(x + np.float32([step, 0]))[:, 0] for step in (0.002, -0.002))
error = np.abs((ahead - behind) / 0.004 - slopes[:, 0]).max()
print(
    "accuracy=%.4f dropped=%.4f slope_error=%.4f"
    % (model.evaluate(x, y, verbose=0)[1], dropped, error)
)
