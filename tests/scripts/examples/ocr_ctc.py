"""Reading without alignment: letters as wide as they like, and CTC finds what is where."""

import numpy as np
from keras import backend as K
from keras.layers import LSTM, Activation, Bidirectional, Dense, Input, Lambda
from keras.models import Model
from keras.optimizers import Adam

letters, height, width, longest = 5, 6, 24, 4

np.random.seed(37)
glyphs = np.random.random((letters, height)) < 0.5


def draw(count):
    """Strips, labels, and how many columns and letters count in each."""
    x = np.random.normal(0, 0.2, (count, width, height))
    labels, sizes = np.full((count, longest), -1), np.random.randint(1, longest + 1, (count, 1))
    columns = np.zeros((count, 1), "int64")
    for i, size in enumerate(sizes[:, 0]):
        labels[i, :size] = np.random.randint(letters, size=size)
        for letter in labels[i, :size]:
            wide, gap = np.random.randint(2, 5), np.random.randint(1, 3)
            x[i, columns[i, 0] : columns[i, 0] + wide] += glyphs[letter]
            columns[i] += wide + gap
    return [x, labels, columns, sizes]


def ctc_lambda_func(args):
    """The cost of labels in the order in which a Lambda layer gets its inputs."""
    y_pred, labels, input_length, label_length = args
    return K.ctc_batch_cost(labels, y_pred, input_length, label_length)


train, test = draw(600), draw(200)
input_data = Input(name="the_input", shape=(width, height), dtype="float32")
inner = Bidirectional(LSTM(24, return_sequences=True))(input_data)
inner = Dense(letters + 1, name="dense2")(inner)
y_pred = Activation("softmax", name="softmax")(inner)

labels = Input(name="the_labels", shape=[longest], dtype="float32")
input_length = Input(name="input_length", shape=[1], dtype="int64")
label_length = Input(name="label_length", shape=[1], dtype="int64")
loss_out = Lambda(ctc_lambda_func, output_shape=(1,), name="ctc")(
    [y_pred, labels, input_length, label_length]
)
model = Model(inputs=[input_data, labels, input_length, label_length], outputs=loss_out)
# The cost is computed in the model, so the loss only passes it on.
model.compile(loss={"ctc": lambda y_true, y_pred: y_pred}, optimizer=Adam(lr=0.01))
history = model.fit(train, np.zeros(600), batch_size=30, epochs=12, shuffle=False, verbose=2)

decoded = K.ctc_decode(y_pred, K.flatten(input_length))[0][0]
read = K.function([input_data, input_length], [decoded])([test[0], test[2]])[0]
right = np.mean(
    np.all(read[:, :longest] == test[1], axis=1) & np.all(read[:, longest:] < 0, axis=1)
)
print("loss=%.4f words=%.4f" % (history.history["loss"][-1], right))
