"""CAM, Grad-CAM and guided Grad-CAM beside captum."""

from functools import partial

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
    given, size = (case.network, case.x, case.target), case.x.shape[2:]
    nearest, bilinear = (f"GuidedGradCam({layer}), {mode}" for mode in ("nearest", "bilinear"))

    def theirs(relu: bool = True) -> np.ndarray:
        return case.captum("LayerGradCam", case.submodule(layer), relu_attributions=relu)[:, 0]

    def theirs_upsampled() -> np.ndarray:
        interpolate = load("captum.attr").LayerAttribution.interpolate
        return array(interpolate(case.tensor(theirs())[:, None], size, "bilinear"))[:, 0]

    def guided(mode: str) -> np.ndarray:
        return case.captum("GuidedGradCam", case.submodule(layer), interpolate_mode=mode)

    def ours() -> np.ndarray:
        L = cam(*given)
        return L / L.dtype.type(L[0].size)

    of, map_of, guided_map = "grad-cam", partial(grad_cam, *given), partial(guided_grad_cam, *given)
    rows = [
        Comparison(of, "captum", f"LayerGradCam({layer}, relu)", theirs, map_of),
        Comparison(of, "captum", f"LayerGradCam({layer}), no ReLU", lambda: theirs(False), partial(map_of, relu=False)),
        Comparison(
            of, "captum", f"LayerGradCam({layer}, relu), bilinear to the input",
            theirs_upsampled, lambda: upsampled(map_of(), size),
        ),
        Comparison("guided-grad-cam", "captum", nearest, lambda: guided("nearest"), guided_map).otherwise(
            CONVENTION, "captum brings the map to the input by the nearest pixel, nnlite bilinearly, as Selvaraju.",
            f"{nearest}; nnlite interpolation=nearest", partial(guided_map, interpolation="nearest"),
        ),
        Comparison("guided-grad-cam", "captum", bilinear, lambda: guided("bilinear"), guided_map),
    ]  # fmt: skip
    if case.ends_in_global_pooling:
        rows.append(Comparison("cam", "captum", "LayerGradCam, no ReLU; nnlite CAM / (h w)", rows[1].theirs, ours))
    return rows
