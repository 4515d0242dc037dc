"""Twin networks with shared weights learn a distance: near for one kind, far for two."""

import numpy as np
from keras import backend as K
from keras.layers import Dense, Input, Lambda
from keras.models import Model
from keras.optimizers import RMSprop

num_classes = 4
epochs = 8
features = 20

np.random.seed(3)
centres = np.random.normal(size=(num_classes, features))


def euclidean_distance(vects):
    """Distances of the rows of two batches."""
    x, y = vects
    sum_square = K.sum(K.square(x - y), axis=1, keepdims=True)
    return K.sqrt(K.maximum(sum_square, K.epsilon()))


def eucl_dist_output_shape(shapes):
    """One distance a row."""
    shape1, _ = shapes
    return (shape1[0], 1)


def contrastive_loss(y_true, y_pred):
    """Squared distance of what belongs together, squared lack of distance of what does not."""
    margin = 1
    square_pred = K.square(y_pred)
    margin_square = K.square(K.maximum(margin - y_pred, 0))
    return K.mean(y_true * square_pred + (1 - y_true) * margin_square)


def accuracy(y_true, y_pred):
    """The share of pairs on the right side of one half, in symbols."""
    return K.mean(K.equal(y_true, K.cast(y_pred < 0.5, y_true.dtype)))


def compute_accuracy(y_true, y_pred):
    """The same of arrays."""
    pred = y_pred.ravel() < 0.5
    return np.mean(pred == y_true)


def create_pairs(count):
    """Pairs of noisy points, by turns of one kind and of two."""
    first = np.random.randint(num_classes, size=count)
    second = (first + np.random.randint(1, num_classes, count)) % num_classes
    labels = np.arange(count) % 2
    kinds = np.stack([first, np.where(labels, first, second)], axis=1)
    return centres[kinds] + np.random.normal(0, 0.7, (count, 2, features)), labels


def create_base_network(input_shape):
    """The network that both twins are."""
    input = Input(shape=input_shape)
    x = Dense(32, activation="relu")(input)
    x = Dense(16, activation="relu")(x)
    return Model(input, x)


tr_pairs, tr_y = create_pairs(800)
te_pairs, te_y = create_pairs(400)
tr_y = tr_y.astype("float32")
te_y = te_y.astype("float32")

base_network = create_base_network((features,))
input_a = Input(shape=(features,))
input_b = Input(shape=(features,))
processed_a = base_network(input_a)
processed_b = base_network(input_b)
distance = Lambda(euclidean_distance, output_shape=eucl_dist_output_shape)(
    [processed_a, processed_b]
)
model = Model([input_a, input_b], distance)
model.compile(loss=contrastive_loss, optimizer=RMSprop(lr=0.002), metrics=[accuracy])
model.fit(
    [tr_pairs[:, 0], tr_pairs[:, 1]],
    tr_y,
    batch_size=50,
    epochs=epochs,
    shuffle=False,
    verbose=2,
    validation_data=([te_pairs[:, 0], te_pairs[:, 1]], te_y),
)
y_pred = model.predict([tr_pairs[:, 0], tr_pairs[:, 1]], verbose=0)
tr_acc = compute_accuracy(tr_y, y_pred)
y_pred = model.predict([te_pairs[:, 0], te_pairs[:, 1]], verbose=0)
te_acc = compute_accuracy(te_y, y_pred)
print("train=%.4f test=%.4f" % (tr_acc, te_acc))
