"""Sequence to sequence: states of one LSTM start another, which writes letter by letter."""

from __future__ import print_function

import os
import tempfile

import numpy as np
from keras.layers import LSTM, Dense, Input
from keras.models import Model, load_model

epochs = 25
batch_size, latent_dim, num_samples = 32, 48, 400

np.random.seed(41)
lengths = np.random.randint(2, 5, num_samples)
input_texts = ["".join(np.random.choice(list("abc"), length)) for length in lengths]
target_texts = ["\t" + text[::-1] + "\n" for text in input_texts]
input_characters = sorted(set("".join(input_texts)))
target_characters = sorted(set("".join(target_texts)))
num_encoder_tokens, num_decoder_tokens = len(input_characters), len(target_characters)
max_encoder_seq_length = max([len(txt) for txt in input_texts])
max_decoder_seq_length = max([len(txt) for txt in target_texts])
input_token_index = dict([(char, i) for i, char in enumerate(input_characters)])
target_token_index = dict([(char, i) for i, char in enumerate(target_characters)])

encoder_input_data = np.zeros((num_samples, max_encoder_seq_length, num_encoder_tokens), "float32")
decoder_input_data = np.zeros((num_samples, max_decoder_seq_length, num_decoder_tokens), "float32")
decoder_target_data = np.zeros_like(decoder_input_data)
for i, (input_text, target_text) in enumerate(zip(input_texts, target_texts)):
    for t, char in enumerate(input_text):
        encoder_input_data[i, t, input_token_index[char]] = 1.0
    for t, char in enumerate(target_text):
        decoder_input_data[i, t, target_token_index[char]] = 1.0
        if t > 0:  # the target is one step ahead
            decoder_target_data[i, t - 1, target_token_index[char]] = 1.0

encoder_inputs = Input(shape=(None, num_encoder_tokens))
encoder_outputs, state_h, state_c = LSTM(latent_dim, return_state=True)(encoder_inputs)
decoder_inputs = Input(shape=(None, num_decoder_tokens))
decoder_lstm = LSTM(latent_dim, return_sequences=True, return_state=True)
decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=[state_h, state_c])
decoder_outputs = Dense(num_decoder_tokens, activation="softmax")(decoder_outputs)
model = Model([encoder_inputs, decoder_inputs], decoder_outputs)
model.compile(optimizer="adam", loss="categorical_crossentropy")
model.optimizer.lr = 0.01
history = model.fit(
    [encoder_input_data, decoder_input_data],
    decoder_target_data,
    batch_size=batch_size,
    epochs=epochs,
    shuffle=False,
    validation_split=0.2,
    verbose=2,
)

# What is saved holds both halves; the layers of the loaded model are put together anew.
with tempfile.TemporaryDirectory() as folder:
    model.save(os.path.join(folder, "s2s.h5"))
    model = load_model(os.path.join(folder, "s2s.h5"))
encoder_inputs = model.input[0]
encoder_outputs, state_h_enc, state_c_enc = model.layers[2].output
encoder_model = Model(encoder_inputs, [state_h_enc, state_c_enc])
decoder_inputs = model.input[1]
states_inputs = [
    Input(shape=(latent_dim,), name="input_3"),
    Input(shape=(latent_dim,), name="input_4"),
]
decoder_outputs, state_h_dec, state_c_dec = model.layers[3](
    decoder_inputs, initial_state=states_inputs
)
decoder_outputs = model.layers[4](decoder_outputs)
decoder_model = Model(
    [decoder_inputs] + states_inputs,  # noqa: RUF005
    [decoder_outputs, state_h_dec, state_c_dec],
)


def decode_sequence(input_seq):
    """What the decoder writes until it ends the word."""
    states_value = encoder_model.predict(input_seq)
    last, decoded = "\t", ""
    while last != "\n" and len(decoded) <= max_decoder_seq_length:
        target_seq = np.zeros((1, 1, num_decoder_tokens))
        target_seq[0, 0, target_token_index[last]] = 1.0
        output_tokens, h, c = decoder_model.predict([target_seq] + states_value)  # noqa: RUF005
        last = target_characters[np.argmax(output_tokens[0, -1, :])]
        decoded += last
        states_value = [h, c]
    return decoded


right = np.mean(
    [decode_sequence(encoder_input_data[i : i + 1]) == target_texts[i][1:] for i in range(40)]
)
print("loss=%.4f right=%.4f" % (history.history["loss"][-1], right))
