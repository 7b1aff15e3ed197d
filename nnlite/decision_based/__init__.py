"""Why did the network decide so? One method a file; each takes (network, x, target=None) and gives one map per sample.

inputs.py                       what goes in, checked
target.py                       what is explained: a class or a neuron
registry.py                     all methods by name, for the command, the report and the docs

gradient.py                     gradient, saliency, sensitivity, gradient × input
smoothgrad.py                   the mean, the square and the variance of a gradient under noise
integrated_gradients.py         the gradient along a path
deconvnet.py                    what has lit a feature map
guided_backpropagation.py       the gradient without what is negative on its way
occlusion.py                    cover a part, and see how far the score drops
cam.py                          CAM, Grad-CAM, guided Grad-CAM
taylor.py                       simple and deep Taylor decomposition
lrp/                            layer-wise relevance propagation: every rule, the composites, the ledger
excitation_backpropagation.py   probabilities of winning, from the top down
deeplift.py                     differences to a reference: Linear, Rescale, RevealCancel
attention_maps.py               attention, rollout, and both of Chefer's maps
tokens.py                       integers in: the embeddings are explained, a number for each token comes out
masking.py                      LRP with occlusion: erase by relevance, run again
building_blocks.py              the shares of channels and positions, and factors of a layer
"""

from . import lrp
from .attention_maps import attention, attention_rollout, chefer_gradient, chefer_lrp
from .building_blocks import Factors, channel_shares, factors, layer_shares, position_shares
from .cam import cam, grad_cam, guided_grad_cam, upsampled
from .deconvnet import all_filters, deconvnet, filters_grid
from .deeplift import deeplift
from .excitation_backpropagation import excitation_backpropagation
from .gradient import gradient, gradient_times_input, saliency, sensitivity
from .guided_backpropagation import guided_backpropagation
from .integrated_gradients import completeness_gap, integrated_gradients
from .masking import find_confusion, mask_by_relevance
from .occlusion import Occlusion, occlusion
from .registry import METHODS, explain
from .smoothgrad import smoothgrad, smoothgrad_squared, vargrad
from .taylor import deep_taylor, simple_taylor

__all__ = [
    "METHODS",
    "Factors",
    "Occlusion",
    "all_filters",
    "attention",
    "attention_rollout",
    "cam",
    "channel_shares",
    "chefer_gradient",
    "chefer_lrp",
    "completeness_gap",
    "deconvnet",
    "deep_taylor",
    "deeplift",
    "excitation_backpropagation",
    "explain",
    "factors",
    "filters_grid",
    "find_confusion",
    "grad_cam",
    "gradient",
    "gradient_times_input",
    "guided_backpropagation",
    "guided_grad_cam",
    "integrated_gradients",
    "layer_shares",
    "lrp",
    "mask_by_relevance",
    "occlusion",
    "position_shares",
    "saliency",
    "sensitivity",
    "simple_taylor",
    "smoothgrad",
    "smoothgrad_squared",
    "upsampled",
    "vargrad",
]
