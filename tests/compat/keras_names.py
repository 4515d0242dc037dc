"""Keras 2's module paths and the names that scripts import from them."""

_CORE = (
    "Dense Activation Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D Flatten Reshape "
    "Permute RepeatVector Lambda ActivityRegularization Masking Layer InputSpec"
)
_CONVOLUTIONAL = (
    "Conv1D Conv2D Conv3D SeparableConv1D SeparableConv2D DepthwiseConv2D Conv2DTranspose "
    "Conv3DTranspose Convolution1D Convolution2D Convolution3D Deconvolution2D Deconvolution3D "
    "UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D "
    "Cropping2D Cropping3D MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D "
    "AveragePooling2D AveragePooling3D AtrousConvolution1D AtrousConvolution2D"
)
_POOLING = (
    "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D "
    "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D "
    "GlobalAveragePooling2D GlobalAveragePooling3D MaxPool1D MaxPool2D AvgPool1D AvgPool2D "
    "GlobalAvgPool1D GlobalMaxPool2D"
)
_RECURRENT = "RNN StackedRNNCells SimpleRNNCell GRUCell LSTMCell SimpleRNN GRU LSTM"
_MERGE = (
    "Add Subtract Multiply Average Maximum Minimum Concatenate Dot add subtract multiply average "
    "maximum minimum concatenate dot"
)
_NOISE = "GaussianNoise GaussianDropout AlphaDropout"
_ADVANCED = "LeakyReLU PReLU ELU ThresholdedReLU Softmax ReLU"
_WRAPPERS = "Wrapper TimeDistributed Bidirectional"
_MODELS = (
    "Model Sequential Input load_model save_model model_from_config model_from_json "
    "model_from_yaml clone_model"
)

# Path below `keras` -> names.
NAMES = {
    "": "Input Model Sequential activations callbacks constraints datasets initializers layers "
    "losses metrics models objectives optimizers preprocessing regularizers utils engine legacy",
    "activations": "softmax elu selu softplus softsign relu tanh sigmoid hard_sigmoid exponential "
    "linear get serialize deserialize",
    "backend": "floatx set_floatx epsilon set_epsilon image_data_format set_image_data_format",
    "callbacks": "Callback History ModelCheckpoint EarlyStopping RemoteMonitor CSVLogger "
    "LearningRateScheduler TensorBoard ReduceLROnPlateau LambdaCallback TerminateOnNaN "
    "ProgbarLogger CallbackList",
    "constraints": "MaxNorm NonNeg UnitNorm MinMaxNorm max_norm non_neg unit_norm min_max_norm "
    "maxnorm nonneg unitnorm get serialize deserialize",
    "datasets": "boston_housing cifar10 cifar100 fashion_mnist imdb mnist reuters",
    "datasets.boston_housing": "load_data",
    "datasets.cifar10": "load_data",
    "datasets.cifar100": "load_data",
    "datasets.fashion_mnist": "load_data",
    "datasets.imdb": "load_data get_word_index",
    "datasets.mnist": "load_data",
    "datasets.reuters": "load_data get_word_index",
    "engine": "Layer InputSpec Input InputLayer get_source_inputs Model",
    "engine.base_layer": "Layer InputSpec",
    "engine.input_layer": "Input InputLayer",
    "engine.network": "Network get_source_inputs",
    "engine.saving": "load_model save_model model_from_json",
    "engine.sequential": "Sequential",
    "engine.topology": "Layer InputSpec Input InputLayer Container Network get_source_inputs",
    "engine.training": "Model",
    "initializers": "Zeros Ones Constant RandomNormal RandomUniform TruncatedNormal "
    "VarianceScaling Orthogonal Identity lecun_uniform lecun_normal glorot_uniform glorot_normal "
    "he_uniform he_normal zeros ones constant uniform normal orthogonal identity get",
    "layers": " ".join(
        [_CORE, _CONVOLUTIONAL, _POOLING, _RECURRENT, _MERGE, _NOISE, _ADVANCED, _WRAPPERS]
    )
    + " Input InputLayer Embedding BatchNormalization LocallyConnected1D LocallyConnected2D "
    "ConvLSTM2D ConvLSTM2DCell CuDNNGRU CuDNNLSTM MaxoutDense Highway Merge TimeDistributedDense",
    "layers.advanced_activations": _ADVANCED,
    "layers.convolutional": _CONVOLUTIONAL,
    "layers.convolutional_recurrent": "ConvLSTM2D ConvLSTM2DCell",
    "layers.core": _CORE,
    "layers.cudnn_recurrent": "CuDNNGRU CuDNNLSTM",
    "layers.embeddings": "Embedding",
    "layers.local": "LocallyConnected1D LocallyConnected2D",
    "layers.merge": f"{_MERGE} _Merge",
    "layers.noise": _NOISE,
    "layers.normalization": "BatchNormalization",
    "layers.pooling": _POOLING,
    "layers.recurrent": _RECURRENT,
    "layers.wrappers": _WRAPPERS,
    "legacy.layers": "MaxoutDense Highway AtrousConvolution1D AtrousConvolution2D merge Merge",
    "losses": "mean_squared_error mean_absolute_error mean_absolute_percentage_error "
    "mean_squared_logarithmic_error squared_hinge hinge categorical_hinge logcosh huber_loss "
    "categorical_crossentropy sparse_categorical_crossentropy binary_crossentropy "
    "kullback_leibler_divergence poisson cosine_proximity mse MSE mae MAE mape MAPE msle MSLE kld "
    "KLD get serialize deserialize Loss MeanSquaredError CategoricalCrossentropy",
    "metrics": "binary_accuracy categorical_accuracy sparse_categorical_accuracy "
    "top_k_categorical_accuracy sparse_top_k_categorical_accuracy mse mae get Metric Mean "
    "Accuracy Precision Recall AUC",
    "models": _MODELS,
    "objectives": "mse mean_squared_error categorical_crossentropy get",
    "optimizers": "SGD RMSprop Adagrad Adadelta Adam Adamax Nadam Optimizer get serialize "
    "deserialize",
    "preprocessing.image": "ImageDataGenerator Iterator NumpyArrayIterator DirectoryIterator "
    "array_to_img img_to_array load_img save_img random_rotation random_shift random_shear "
    "random_zoom random_channel_shift random_brightness apply_affine_transform",
    "preprocessing.sequence": "pad_sequences make_sampling_table skipgrams TimeseriesGenerator",
    "preprocessing.text": "Tokenizer one_hot hashing_trick text_to_word_sequence "
    "tokenizer_from_json",
    "regularizers": "Regularizer L1L2 l1 l2 l1_l2 get serialize deserialize",
    "utils": "to_categorical normalize get_file Sequence GeneratorEnqueuer OrderedEnqueuer "
    "CustomObjectScope custom_object_scope get_custom_objects Progbar HDF5Matrix print_summary "
    "multi_gpu_model get_source_inputs np_utils generic_utils data_utils io_utils conv_utils "
    "layer_utils",
    "utils.conv_utils": "conv_output_length conv_input_length normalize_padding normalize_tuple",
    "utils.data_utils": "get_file validate_file Sequence OrderedEnqueuer GeneratorEnqueuer",
    "utils.generic_utils": "Progbar CustomObjectScope custom_object_scope get_custom_objects",
    "utils.io_utils": "HDF5Matrix",
    "utils.layer_utils": "print_summary count_params",
    "utils.multi_gpu_utils": "multi_gpu_model",
    "utils.np_utils": "to_categorical normalize",
    "utils.training_utils": "multi_gpu_model",
}
