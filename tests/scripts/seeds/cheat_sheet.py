"""A cheat sheet of Keras 2.0, block by block; lines that say `mended` or `added` are not printed so."""

# A basic example
import numpy as np
from keras.models import Sequential
from keras.layers import Dense
data = np.random.random((1000,100))
labels = np.random.randint(2,size=(1000,1))
model = Sequential()
model.add(Dense(32, activation='relu', input_dim=100))
model.add(Dense(1, activation='sigmoid'))
model.compile(optimizer='rmsprop', loss='binary_crossentropy', metrics=['accuracy'])
model.fit(data,labels,epochs=10,batch_size=32)
predictions = model.predict(data)
basic = model  # added: the test looks at it

# Data: data sets
from keras.datasets import boston_housing, mnist, cifar10, imdb
(x_train,y_train),(x_test,y_test) = mnist.load_data()
(x_train2,y_train2),(x_test2,y_test2) = boston_housing.load_data()
(x_train3,y_train3),(x_test3,y_test3) = cifar10.load_data()
(x_train4,y_train4),(x_test4,y_test4) = imdb.load_data(num_words=20000)
num_classes = 10

# Data: others
from urllib.request import urlopen
data = np.loadtxt(urlopen("http://archive.ics.uci.edu/ml/machine-learning-databases/pima-indians-diabetes/pima-indians-diabetes.data"),delimiter=",")  # mended: &quot;
X = data[:,0:8]
y = data [:,8]

# Preprocessing: padding
from keras.preprocessing import sequence
x_train4 = sequence.pad_sequences(x_train4,maxlen=80)
x_test4 = sequence.pad_sequences(x_test4,maxlen=80)

# Preprocessing: one-hot
from keras.utils import to_categorical
Y_train = to_categorical(y_train, num_classes)
Y_test = to_categorical(y_test, num_classes)
Y_train3 = to_categorical(y_train3, num_classes)
Y_test3 = to_categorical(y_test3, num_classes)

# Preprocessing: parts for training and testing
from sklearn.model_selection import train_test_split
X_train5, X_test5, y_train5, y_test5 = train_test_split(X, y, test_size=0.33, random_state=42)

# Normalization
from sklearn.preprocessing import StandardScaler
scaler = StandardScaler().fit(x_train2)
standardized_X = scaler.transform(x_train2)
standardized_X_test = scaler.transform(x_test2)

# Architectures: Sequential
from keras.models import Sequential
model = Sequential()
model2 = Sequential()
model3 = Sequential()

# Multilayer perceptron: two classes
from keras.layers import Dense
model.add(Dense(12, input_dim=8, kernel_initializer='uniform', activation='relu'))
model.add(Dense(8, kernel_initializer='uniform', activation='relu'))
model.add(Dense(1, kernel_initializer='uniform', activation='sigmoid'))

# Multilayer perceptron: many classes
from keras.layers import Dropout
model.add(Dense(512,activation='relu',input_shape=(784,)))
model.add(Dropout(0.2))
model.add(Dense(512,activation='relu'))
model.add(Dropout(0.2))
model.add(Dense(10,activation='softmax'))

# Multilayer perceptron: regression
train_data = standardized_X  # added: the text has no train_data
model.add(Dense(64, activation='relu', input_dim=train_data.shape[1]))
model.add(Dense(1))

# Convolutional network
from keras.layers import Activation, Conv2D, MaxPooling2D, Flatten
try:  # added: MNIST has no axis of colours
    model2.add(Conv2D(32, (3,3), padding='same', input_shape=x_train.shape[1:]))
except ValueError as error:  # added
    refusal = str(error)  # added
    model2 = Sequential()  # added
    model2.add(Conv2D(32, (3,3), padding='same', input_shape=x_train3.shape[1:]))  # mended: CIFAR's shape
model2.add(Activation('relu'))
model2.add(Conv2D(32, (3,3)))
model2.add(Activation('relu'))
model2.add(MaxPooling2D(pool_size=(2,2)))
model2.add(Dropout(0.25))
model2.add(Conv2D(64, (3,3), padding='same'))
model2.add(Activation('relu'))
model2.add(Conv2D(64, (3, 3)))
model2.add(Activation('relu'))
model2.add(MaxPooling2D(pool_size=(2,2)))
model2.add(Dropout(0.25))
model2.add(Flatten())
model2.add(Dense(512))
model2.add(Activation('relu'))
model2.add(Dropout(0.5))
model2.add(Dense(num_classes))
model2.add(Activation('softmax'))

# Recurrent network
from keras.layers import Embedding,LSTM  # mended: klayers
model3.add(Embedding(20000,128))
model3.add(LSTM(128,dropout=0.2,recurrent_dropout=0.2))
model3.add(Dense(1,activation='sigmoid'))

# Looking at a model
model.output_shape
model.summary()
model.get_config()
model.get_weights()

# Compiling: multilayer perceptrons for two classes, many classes, regression
model.compile(optimizer='adam', loss='binary_crossentropy', metrics=['accuracy'])
model.compile(optimizer='rmsprop', loss='categorical_crossentropy', metrics=['accuracy'])
model.compile(optimizer='rmsprop', loss='mse', metrics=['mae'])

# Compiling: recurrent network
model3.compile(loss='binary_crossentropy', optimizer='adam', metrics=['accuracy'])

# Training
model3.fit(x_train4, y_train4, batch_size=32, epochs=15, verbose=1, validation_data=(x_test4, y_test4))

# Evaluation
score = model3.evaluate(x_test4, y_test4, batch_size=32)  # mended: x_test, y_test are MNIST's

# Predictions
model3.predict(x_test4, batch_size=32)
model3.predict_classes(x_test4,batch_size=32)

# Files
from keras.models import load_model
model3.save('model_file.h5')
my_model = load_model('model_file.h5')  # mended: my_model.h5

# Tuning: parameters of the optimizer
from keras.optimizers import RMSprop
opt = RMSprop(lr=0.0001, decay=1e-6)
model2.compile(loss='categorical_crossentropy', optimizer=opt, metrics=['accuracy'])

# Tuning: early stopping
from keras.callbacks import EarlyStopping
early_stopping_monitor = EarlyStopping(patience=2)
model3.fit(x_train4, y_train4, batch_size=32, epochs=15, validation_data=(x_test4, y_test4), callbacks=[early_stopping_monitor])
