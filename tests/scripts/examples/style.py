"""A picture is changed until a network sees one picture's content and another's textures in it."""

import numpy as np
from keras import backend as K
from keras.layers import AveragePooling2D, Conv2D, Input
from keras.models import Model
from scipy.optimize import fmin_l_bfgs_b

img_nrows, img_ncols = 16, 16
total_variation_weight, style_weight, content_weight = 1e-4, 1.0, 0.05

np.random.seed(23)
rows, columns = np.mgrid[:img_nrows, :img_ncols]
content = np.stack([rows > 7, columns > 7, rows > columns], axis=-1).astype("float32")
stripes = np.sin(rows[..., None] * [1.0, 2.0, 0.5] + columns[..., None])
base_image = K.variable(content[None])
style_reference_image = K.variable(stripes[None].astype("float32"))
combination_image = K.placeholder((1, img_nrows, img_ncols, 3))
input_tensor = K.concatenate([base_image, style_reference_image, combination_image], axis=0)

inputs = Input(tensor=input_tensor)
x = Conv2D(8, (3, 3), activation="relu", padding="same", name="block1_conv1")(inputs)
x = AveragePooling2D((2, 2), name="block1_pool")(x)
x = Conv2D(12, (3, 3), activation="relu", padding="same", name="block2_conv1")(x)
model = Model(inputs, x)
outputs_dict = dict([(layer.name, layer.output) for layer in model.layers])


def gram_matrix(x):
    """Products of the channels over all places: what textures are made of."""
    assert K.ndim(x) == 3
    features = K.batch_flatten(K.permute_dimensions(x, (2, 0, 1)))
    return K.dot(features, K.transpose(features))


def style_loss(style, combination):
    """How much the textures of two pictures differ."""
    S = gram_matrix(style)
    C = gram_matrix(combination)
    return K.sum(K.square(S - C)) / (4.0 * (3**2) * (img_nrows * img_ncols) ** 2)


def content_loss(base, combination):
    """How much two pictures differ."""
    return K.sum(K.square(combination - base))


def total_variation_loss(x):
    """How rough a picture is."""
    assert K.ndim(x) == 4
    h, w = img_nrows - 1, img_ncols - 1
    a = K.square(x[:, :h, :w, :] - x[:, 1:, :w, :])
    b = K.square(x[:, :h, :w, :] - x[:, :h, 1:, :])
    return K.sum(K.pow(a + b, 1.25))


loss = K.variable(0.0)
layer_features = outputs_dict["block2_conv1"]
loss = loss + content_weight * content_loss(layer_features[0, :, :, :], layer_features[2, :, :, :])
for layer_name in ("block1_conv1", "block2_conv1"):
    layer_features = outputs_dict[layer_name]
    sl = style_loss(layer_features[1, :, :, :], layer_features[2, :, :, :])
    loss = loss + style_weight * sl
loss = loss + total_variation_weight * total_variation_loss(combination_image)
grads = K.gradients(loss, combination_image)
f_outputs = K.function([combination_image], [loss, *grads])


class Evaluator(object):
    """Loss and gradients, computed at once and asked for one after the other."""

    def loss(self, x):
        outs = f_outputs([x.reshape((1, img_nrows, img_ncols, 3))])
        self.grad_values = outs[1].flatten().astype("float64")
        return float(outs[0])

    def grads(self, x):
        return np.copy(self.grad_values)


evaluator = Evaluator()
x = np.random.uniform(-0.5, 0.5, content.size)
first = evaluator.loss(x)
direction = np.random.normal(size=x.size)
slope = evaluator.grads(x) @ direction
measured = (evaluator.loss(x + 3e-4 * direction) - evaluator.loss(x - 3e-4 * direction)) / 6e-4
for i in range(3):
    x, min_val, info = fmin_l_bfgs_b(evaluator.loss, x, fprime=evaluator.grads, maxfun=15)
    print("Current loss value:", min_val)
print("first=%.6f last=%.6f slope=%.6f measured=%.6f" % (first, min_val, slope, measured))
