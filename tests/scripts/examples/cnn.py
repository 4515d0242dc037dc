"""A convolutional network names the shape in a small picture, from augmented pictures too."""

import os
import tempfile

import keras
import numpy as np
from keras import backend as K
from keras.callbacks import ModelCheckpoint
from keras.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential, load_model
from keras.preprocessing.image import ImageDataGenerator

batch_size = 32
num_classes = 4
img_rows, img_cols = 12, 12

np.random.seed(7)
shapes = np.zeros((num_classes, 7, 7))
shapes[0, 3, :] = shapes[1, :, 3] = 1
shapes[2] = np.maximum(np.eye(7), np.eye(7)[::-1])
shapes[3, [0, -1], :] = shapes[3, :, [0, -1]] = 1


def draw(count):
    """Grey pictures with one shape somewhere, and its number."""
    x = np.random.normal(0, 0.2, (count, img_rows, img_cols))
    y = np.random.randint(num_classes, size=count)
    for picture, shape in zip(x, shapes[y]):
        row, column = np.random.randint(0, 6, 2)
        picture[row : row + 7, column : column + 7] += shape
    return x.astype("float32"), y


x_train, y_train = draw(512)
x_test, y_test = draw(256)
if K.image_data_format() == "channels_first":
    x_train = x_train.reshape(x_train.shape[0], 1, img_rows, img_cols)
    x_test = x_test.reshape(x_test.shape[0], 1, img_rows, img_cols)
    input_shape = (1, img_rows, img_cols)
else:
    x_train = x_train.reshape(x_train.shape[0], img_rows, img_cols, 1)
    x_test = x_test.reshape(x_test.shape[0], img_rows, img_cols, 1)
    input_shape = (img_rows, img_cols, 1)
y_train = keras.utils.to_categorical(y_train, num_classes)
y_test = keras.utils.to_categorical(y_test, num_classes)

model = Sequential()
model.add(Conv2D(8, kernel_size=(3, 3), activation="relu", input_shape=input_shape))
model.add(Conv2D(16, (3, 3), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(32, activation="relu"))
model.add(Dropout(0.25))
model.add(Dense(num_classes, activation="softmax"))
model.compile(
    loss=keras.losses.categorical_crossentropy,
    optimizer=keras.optimizers.Adam(lr=0.005),
    metrics=["accuracy"],
)
with tempfile.TemporaryDirectory() as folder:
    best = os.path.join(folder, "best.h5")
    keep = ModelCheckpoint(best, monitor="val_acc", save_best_only=True, verbose=1)
    model.fit(
        x_train,
        y_train,
        batch_size=batch_size,
        epochs=6,
        verbose=2,
        validation_data=(x_test, y_test),
        callbacks=[keep],
    )
    kept = load_model(best).evaluate(x_test, y_test, verbose=0)

datagen = ImageDataGenerator(horizontal_flip=True, vertical_flip=True, width_shift_range=0.1)
datagen.fit(x_train)
model.fit_generator(
    datagen.flow(x_train, y_train, batch_size=batch_size),
    steps_per_epoch=len(x_train) // batch_size,
    epochs=2,
    verbose=2,
    validation_data=(x_test, y_test),
)
score = model.evaluate(x_test, y_test, verbose=0)
print("best=%.4f accuracy=%.4f" % (kept[1], score[1]))
