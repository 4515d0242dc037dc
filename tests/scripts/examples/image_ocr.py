"""Characters in a picture: convolutions, then recurrent networks from both sides."""

import keras
import numpy as np
from keras import layers
from keras.layers import GRU, Activation, Conv2D, Dense, Input, MaxPooling2D, Reshape
from keras.layers.merge import add, concatenate
from keras.models import Model
from keras.optimizers import SGD

img_w, img_h = 32, 8
letters, places, pool_size = 6, 4, 2
minibatch_size, time_dense_size, rnn_size = 16, 16, 16

np.random.seed(31)
glyphs = (np.random.random((letters, img_h, img_w // places)) < 0.4).astype("float32")


class TextImages(keras.utils.Sequence):
    """Batches of pictures of words, each letter one of the glyphs under noise."""

    def __init__(self, batches):
        self.words = np.random.randint(letters, size=(batches, minibatch_size, places))
        shape = (batches, minibatch_size, img_h, img_w)
        self.noise = np.random.normal(0, 0.3, shape).astype("float32")

    def __len__(self):
        return len(self.words)

    def __getitem__(self, index):
        words = self.words[index]
        pictures = np.stack([np.hstack(glyphs[word]) for word in words]) + self.noise[index]
        # Two steps in time of the network lie on each letter.
        labels = keras.utils.to_categorical(words.repeat(2, axis=1), letters)
        return pictures[..., None], labels


class Report(keras.callbacks.Callback):
    """Reads some words after each epoch."""

    def __init__(self, images):
        super(Report, self).__init__()
        self.images = images
        self.words_read = []

    def on_epoch_end(self, epoch, logs={}):
        pictures, labels = self.images[0]
        decoded = self.model.predict(pictures).argmax(-1)[:, ::2]
        self.words_read.append(np.mean(np.all(decoded == labels.argmax(-1)[:, ::2], axis=1)))
        print("epoch %d words %.3f loss %.3f" % (epoch, self.words_read[-1], logs["loss"]))


train, test = TextImages(24), TextImages(4)
input_data = Input(name="the_input", shape=(img_h, img_w, 1), dtype="float32")
inner = Conv2D(8, (3, 3), padding="same", activation="relu", name="conv1")(input_data)
inner = MaxPooling2D(pool_size=(pool_size, pool_size), name="max1")(inner)
inner = Conv2D(8, (3, 3), padding="same", activation="relu", name="conv2")(inner)
inner = MaxPooling2D(pool_size=(pool_size, pool_size), name="max2")(inner)
inner = layers.Permute((2, 1, 3))(inner)
conv_to_rnn_dims = (img_w // pool_size**2, (img_h // pool_size**2) * 8)
inner = Reshape(target_shape=conv_to_rnn_dims, name="reshape")(inner)
inner = Dense(time_dense_size, activation="relu", name="dense1")(inner)
gru_1 = GRU(rnn_size, return_sequences=True, name="gru1")(inner)
gru_1b = GRU(rnn_size, return_sequences=True, go_backwards=True, name="gru1_b")(inner)
gru1_merged = add([gru_1, gru_1b])
gru_2 = layers.Bidirectional(GRU(rnn_size, return_sequences=True), merge_mode="sum")(gru1_merged)
inner = Dense(letters, name="dense2")(concatenate([gru_2, inner]))
y_pred = Activation("softmax", name="softmax")(inner)
model = Model(inputs=input_data, outputs=y_pred)
model.summary()

sgd = SGD(lr=0.05, decay=1e-6, momentum=0.9, nesterov=True, clipnorm=5)
model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
report = Report(test)
history = model.fit_generator(
    generator=train,
    steps_per_epoch=len(train),
    epochs=12,
    verbose=0,
    validation_data=test,
    validation_steps=len(test),
    shuffle=False,
    callbacks=[report],
)
print("accuracy=%.4f words=%.4f" % (history.history["val_acc"][-1], report.words_read[-1]))
