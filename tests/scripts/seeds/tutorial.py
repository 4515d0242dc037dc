"""A blog's tutorial of Keras 2, block by block; lines that say `mended` or `added` are not printed so."""

import keras  # added, and the values of the names in the signatures
sequences = [[1, 2, 3], [4.7, 5], []]
sequence, vocabulary_size = [3, 1, 4, 1, 5], 6
text, n = 'Keras, NumPy & graphs: don\'t panic!', 50

# 1.1 Sequences
padded = (  # added: a name for the result, here and below
keras.preprocessing.sequence.pad_sequences(sequences, maxlen=None, dtype='int32', padding='pre', truncating='pre', value=0.)
)

couples = (
keras.preprocessing.sequence.skipgrams(sequence, vocabulary_size, window_size=4, negative_samples=1., shuffle=True, categorical=False, sampling_table=None)
)

# 1.2 Texts; mended: [\] became [\\]
words = (
keras.preprocessing.text.text_to_word_sequence(text, filters='!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', lower=True, split=" ")
)

numbers = (
keras.preprocessing.text.one_hot(text, n, filters='!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', lower=True, split=" ")
)

hashed = (
keras.preprocessing.text.hashing_trick(text, n, hash_function=None, filters='!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n', lower=True, split=' ')
)

# 1.3 Pictures: the text names ImageDataGenerator and what it does, all added
import numpy as np
from keras.preprocessing.image import ImageDataGenerator
pictures = np.random.random((8, 12, 12, 3))
generator = ImageDataGenerator(horizontal_flip=True, vertical_flip=True, rotation_range=20)
batch, marks = next(generator.flow(pictures, np.arange(8), batch_size=4))

# 2. Models
from keras.models import Model, Sequential  # added
from keras.layers import Dense, Input  # added
a = Input((3,))  # added
model = Model(a, Dense(2, name='top')(a))  # added
functional = model  # added
model.summary()
keras.utils.print_summary(model)  # added: the text says that summary calls it

config = model.get_config()

model = Model.from_config(config)
# or, for Sequential:
config = Sequential([Dense(2, input_dim=3, name='top')]).get_config()  # added
model = Sequential.from_config(config)

model.get_layer('top'), model.get_layer(index=0)  # added
model.set_weights(model.get_weights())  # added

from keras.models import model_from_json  # mended: models
json_string = model.to_json()
model = model_from_json(json_string)

from keras.models import model_from_yaml  # mended: models
yaml_string = model.to_yaml()
model = model_from_yaml(yaml_string)

model.save_weights('weights.h5')  # added
model.load_weights('weights.h5', by_name=False)  # added
