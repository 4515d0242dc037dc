"""A variational autoencoder of bit patterns, its loss added to the model rather than compiled."""

import numpy as np
from keras import backend as K
from keras.layers import Dense, Input, Lambda
from keras.losses import binary_crossentropy, mse
from keras.models import Model

original_dim = 24
intermediate_dim = 32
latent_dim = 2
batch_size = 64
epochs = 30

np.random.seed(17)
prototypes = np.random.randint(0, 2, (3, original_dim))
kinds = np.random.randint(0, 3, 768)
flips = np.random.random((768, original_dim)) < 0.05
x_train = np.logical_xor(prototypes[kinds], flips).astype("float32")


def sampling(args):
    """A point drawn around a mean, as a function of noise that has no weights."""
    z_mean, z_log_var = args
    batch = K.shape(z_mean)[0]
    dim = K.int_shape(z_mean)[1]
    epsilon = K.random_normal(shape=(batch, dim))
    return z_mean + K.exp(0.5 * z_log_var) * epsilon


inputs = Input(shape=(original_dim,), name="encoder_input")
x = Dense(intermediate_dim, activation="relu")(inputs)
z_mean = Dense(latent_dim, name="z_mean")(x)
z_log_var = Dense(latent_dim, name="z_log_var")(x)
z = Lambda(sampling, output_shape=(latent_dim,), name="z")([z_mean, z_log_var])
encoder = Model(inputs, [z_mean, z_log_var, z], name="encoder")

latent_inputs = Input(shape=(latent_dim,), name="z_sampling")
x = Dense(intermediate_dim, activation="relu")(latent_inputs)
decoder_outputs = Dense(original_dim, activation="sigmoid")(x)
decoder = Model(latent_inputs, decoder_outputs, name="decoder")

outputs = decoder(encoder(inputs)[2])
vae = Model(inputs, outputs, name="vae_mlp")

reconstruction_loss = binary_crossentropy(inputs, outputs)
reconstruction_loss *= original_dim
kl_loss = 1 + z_log_var - K.square(z_mean) - K.exp(z_log_var)
kl_loss = K.sum(kl_loss, axis=-1)
kl_loss *= -0.5
vae_loss = K.mean(reconstruction_loss + kl_loss)
vae.add_loss(vae_loss)
vae.compile(optimizer="adam")
vae.summary()
K.set_value(vae.optimizer.lr, 0.005)
history = vae.fit(x_train, epochs=epochs, batch_size=batch_size, verbose=2)

means = encoder.predict(x_train, batch_size=batch_size)[0]
centres = np.stack([means[kinds == kind].mean(0) for kind in range(3)])
distances = ((means[:, None] - centres) ** 2).sum(-1)
restored = decoder.predict(means)
squared = K.eval(K.mean(mse(K.constant(x_train), K.constant(restored))))
print(
    "first=%.4f last=%.4f kinds=%.4f error=%.4f"
    % (
        history.history["loss"][0],
        history.history["loss"][-1],
        np.mean(distances.argmin(1) == kinds),
        squared,
    )
)
