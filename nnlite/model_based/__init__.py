"""What has the network learned? Inputs are searched that make it say something.

objectives.py               what a search climbs: f(x) and ∂f/∂x; sums of them; f through a network
ascent.py                   the search
activation_maximization.py  the slides' three forms: general, with an expert, in code space
prototype.py                what the three forms share
starts.py                   where a search begins: noise, an image, the class's mean
experts/                    log p(x): Gaussian, PPCA, mixture of PPCA, Gaussian-RBM
generators/                 g(z): a variational autoencoder, two GANs

feature_visualization.py    images for a neuron, a channel, a layer or a class
channels.py                 all channels of a layer in one batch
transformations.py          what is drawn anew for every step: moved, enlarged, turned
warp.py                     an image turned and enlarged, and the exact transpose
fourier.py                  an image by its Fourier coefficients, colours decorrelated
penalties.py                total variation, high frequencies, likeness of several images
dataset_examples.py         the images of a data set that excite a neuron most
receptive_field.py          which pixels a neuron sees

deepdream.py                ‖a_l‖² climbed from an image of any size, over octaves
tiles.py                    a large image in tiles, exactly
inversion.py                the image that has the same activations
"""

from . import experts, generators
from .activation_maximization import general, in_code_space, with_expert
from .ascent import Ascent, ascend, box
from .channels import all_channels
from .dataset_examples import channel_examples, dataset_examples
from .deepdream import Dream, deepdream
from .feature_visualization import Visualization, visualize
from .inversion import Inversion, invert
from .objectives import LogProbability, Score, SquaredDistance, Through, squared_norm, weighted
from .prototype import Prototype

__all__ = [
    "Ascent", "Dream", "Inversion", "LogProbability", "Prototype", "Score", "SquaredDistance", "Through",
    "Visualization", "all_channels", "ascend", "box", "channel_examples", "dataset_examples", "deepdream", "experts",
    "general", "generators", "in_code_space", "invert", "squared_norm", "visualize", "weighted", "with_expert",
]  # fmt: skip
