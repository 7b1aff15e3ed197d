"""CAM, Grad-CAM and guided Grad-CAM beside captum."""

import warnings

import numpy as np

from ...decision_based.cam import cam, grad_cam, guided_grad_cam, upsampled
from ..case import Case, array
from ..libraries import load
from ..table import CONVENTION, Comparison


def comparisons(case: Case) -> list[Comparison]:
    """On networks with feature maps."""
    layer = case.last_maps
    if layer is None or not case.is_image:
        return []
    given = (case.network, case.x, case.target)
    size = case.x.shape[2:]

    def theirs(relu: bool) -> np.ndarray:
        method = load("captum.attr").LayerGradCam(case.module, case.submodule(layer))
        return array(method.attribute(case.tensor(), target=case.labels, relu_attributions=relu))[:, 0]

    def theirs_upsampled() -> np.ndarray:
        interpolate = load("captum.attr").LayerAttribution.interpolate
        return array(interpolate(case.tensor(theirs(True))[:, None], size, "bilinear"))[:, 0]

    def guided(mode: str) -> np.ndarray:
        method = load("captum.attr").GuidedGradCam(case.module, case.submodule(layer))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it sets hooks
            return array(method.attribute(case.tensor().requires_grad_(), target=case.labels, interpolate_mode=mode))

    rows = [
        Comparison(
            "grad-cam", "captum", f"LayerGradCam({layer}, relu)", lambda: theirs(True), lambda: grad_cam(*given)
        ),
        Comparison(
            "grad-cam", "captum", f"LayerGradCam({layer}), no ReLU",
            lambda: theirs(False), lambda: grad_cam(*given, relu=False),
        ),
        Comparison(
            "grad-cam", "captum", f"LayerGradCam({layer}, relu), bilinear to the input",
            theirs_upsampled, lambda: upsampled(grad_cam(*given), size),
        ),
        Comparison(
            "guided-grad-cam", "captum", f"GuidedGradCam({layer}), nearest",
            lambda: guided("nearest"), lambda: guided_grad_cam(*given),
        ).otherwise(
            CONVENTION, "captum brings the map to the input by the nearest pixel, nnlite bilinearly, as Selvaraju.",
            f"GuidedGradCam({layer}), nearest; nnlite interpolation=nearest",
            lambda: guided_grad_cam(*given, interpolation="nearest"),
        ),
        Comparison(
            "guided-grad-cam", "captum", f"GuidedGradCam({layer}), bilinear",
            lambda: guided("bilinear"), lambda: guided_grad_cam(*given),
        ),
    ]  # fmt: skip
    if case.ends_in_global_pooling:
        rows.append(_cam(case, lambda: theirs(False)))
    return rows


def _cam(case: Case, theirs) -> Comparison:  # type: ignore[no-untyped-def]
    def ours() -> np.ndarray:
        L = cam(case.network, case.x, case.target)
        return L / L.dtype.type(L[0].size)

    return Comparison("cam", "captum", "LayerGradCam, no ReLU; nnlite CAM / (h w)", theirs, ours)
