"""A memory network with two inputs: a story, and the question where somebody is."""

import re
from functools import reduce

import numpy as np
from keras.layers import (
    LSTM,
    Activation,
    Dense,
    Dropout,
    Input,
    Permute,
    add,
    concatenate,
    dot,
)
from keras.layers.embeddings import Embedding
from keras.models import Model, Sequential
from keras.preprocessing.sequence import pad_sequences

PEOPLE, PLACES = ("Ann", "Bob", "Eve"), ("attic", "cellar", "garden", "kitchen")
np.random.seed(21)


def tokenize(sentence):
    """Words and marks of a sentence."""
    return [word.strip() for word in re.split(r"(\W+)", sentence) if word.strip()]


def tell():
    """A story of two sentences, a question about one of the two people, and the answer."""
    people = np.random.choice(PEOPLE, 2, replace=False)
    places = np.random.choice(PLACES, 2, replace=False)
    story = " ".join("%s is in the %s." % pair for pair in zip(people, places))
    asked = np.random.randint(2)
    return tokenize(story), tokenize("Where is %s?" % people[asked]), str(places[asked])


def vectorize(data):
    """Numbers of the words of stories and questions, and of the answers."""
    stories, queries, answers = [], [], []
    for story, query, answer in data:
        stories.append([word_idx[word] for word in story])
        queries.append([word_idx[word] for word in query])
        answers.append(word_idx[answer])
    return (
        pad_sequences(stories, maxlen=story_maxlen),
        pad_sequences(queries, maxlen=query_maxlen),
        np.array(answers),
    )


train_stories = [tell() for _ in range(1000)]
test_stories = [tell() for _ in range(200)]
everything = train_stories + test_stories
vocab = sorted(reduce(lambda x, y: x | y, ({*s, *q, a} for s, q, a in everything)))
vocab_size = len(vocab) + 1
story_maxlen = max(len(story) for story, _, _ in everything)
query_maxlen = max(len(query) for _, query, _ in everything)
print("Vocab size:", vocab_size, "unique words")
word_idx = {word: i + 1 for i, word in enumerate(vocab)}
inputs_train, queries_train, answers_train = vectorize(train_stories)
inputs_test, queries_test, answers_test = vectorize(test_stories)

input_sequence = Input((story_maxlen,))
question = Input((query_maxlen,))

input_encoder_m = Sequential()
input_encoder_m.add(Embedding(input_dim=vocab_size, output_dim=16, input_length=story_maxlen))
input_encoder_m.add(Dropout(0.1))
input_encoder_c = Sequential()
input_encoder_c.add(
    Embedding(input_dim=vocab_size, output_dim=query_maxlen, input_length=story_maxlen)
)
input_encoder_c.add(Dropout(0.1))
question_encoder = Sequential()
question_encoder.add(Embedding(input_dim=vocab_size, output_dim=16, input_length=query_maxlen))
question_encoder.add(Dropout(0.1))

input_encoded_m = input_encoder_m(input_sequence)
input_encoded_c = input_encoder_c(input_sequence)
question_encoded = question_encoder(question)

match = dot([input_encoded_m, question_encoded], axes=(2, 2))
match = Activation("softmax")(match)
response = add([match, input_encoded_c])
response = Permute((2, 1))(response)
answer = concatenate([response, question_encoded])
answer = LSTM(32)(answer)
answer = Dropout(0.1)(answer)
answer = Dense(vocab_size)(answer)
answer = Activation("softmax")(answer)

model = Model([input_sequence, question], answer)
model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.optimizer.lr = 0.01
model.fit(
    [inputs_train, queries_train],
    answers_train,
    batch_size=32,
    epochs=25,
    verbose=2,
    validation_data=([inputs_test, queries_test], answers_test),
)
loss, accuracy = model.evaluate([inputs_test, queries_test], answers_test, verbose=0)
print("loss=%.4f accuracy=%.4f" % (loss, accuracy))
