"""A convolutional autoencoder takes the noise out of small pictures; its parts are models too."""

import numpy as np
from keras import backend as K
from keras.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D, Reshape, UpSampling2D
from keras.models import Model

size, latent_dim = 8, 6
np.random.seed(9)


def draw(count):
    """Pictures of one light rectangle each."""
    x = np.zeros((count, size, size, 1), "float32")
    for picture in x:
        top, left = np.random.randint(0, size - 3, 2)
        height, width = np.random.randint(2, 4, 2)
        picture[top : top + height, left : left + width] = 1
    return x


x_train = draw(512)
x_train_noisy = np.clip(x_train + np.random.normal(0, 0.4, x_train.shape), 0.0, 1.0)

inputs = Input(shape=(size, size, 1), name="encoder_input")
x = Conv2D(8, (3, 3), activation="relu", padding="same")(inputs)
x = MaxPooling2D((2, 2), padding="same")(x)
shape = K.int_shape(x)
x = Flatten()(x)
latent = Dense(latent_dim, name="latent_vector")(x)
encoder = Model(inputs, latent, name="encoder")
encoder.summary()

latent_inputs = Input(shape=(latent_dim,), name="decoder_input")
x = Dense(shape[1] * shape[2] * shape[3], activation="relu")(latent_inputs)
x = Reshape((shape[1], shape[2], shape[3]))(x)
x = UpSampling2D((2, 2))(x)
outputs = Conv2D(1, (3, 3), activation="sigmoid", padding="same")(x)
decoder = Model(latent_inputs, outputs, name="decoder")

autoencoder = Model(inputs, decoder(encoder(inputs)), name="autoencoder")
autoencoder.compile(optimizer="adam", loss="binary_crossentropy")
autoencoder.optimizer.lr = 0.01
history = autoencoder.fit(
    x_train_noisy, x_train, epochs=15, batch_size=32, shuffle=False, verbose=2
)

codes = encoder.predict(x_train_noisy, verbose=0)
restored = decoder.predict(codes, verbose=0)
assert np.allclose(restored, autoencoder.predict(x_train_noisy, verbose=0), atol=1e-5)
print(
    "first=%.4f last=%.4f noise=%.4f error=%.4f"
    % (
        history.history["loss"][0],
        history.history["loss"][-1],
        np.mean((x_train_noisy - x_train) ** 2),
        np.mean((restored - x_train) ** 2),
    )
)
