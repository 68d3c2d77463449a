"""A recipe: everything that decides how a model is trained, as one TOML file."""

from pathlib import Path

import msgspec

from edge_runtime.errors import UsageError
from train.acquisition import DEFAULT_CAP
from train.augment import Augmentation


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch of training at one image size: pixels a side, epochs, and the highest learning rate."""

    size: int
    epochs: int
    learning_rate: float
    batch: int = 32
    train: str = "all"
    """``head`` leaves the pretrained convolutions alone."""


class Member(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A narrow model to train first and merge: the recipe's file name, beside this one, and the seed."""

    recipe: str
    seed: int


class Prune(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far to prune the one member before the stages, and in which steps.

    Attributes:
        keep: Share of its predicted time to leave on each device, a name in ``train/devices/``.
        multiple: What the filters of a narrowed convolution are a multiple of.
        rounds: Steps of equal factors; after each the effects are estimated anew.
        batches: How many training batches the effects are averaged over.
        size: Pixels a side of the images, for the effects and for the times.
        batch: Images in a batch.
        stages: What trains the network between two rounds, if anything.
    """

    keep: dict[str, float]
    multiple: int = 8
    rounds: int = 4
    batches: int = 32
    size: int = 224
    batch: int = 32
    stages: tuple[Stage, ...] = ()


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model is trained.

    Attributes:
        stages: One after the other, each with a learning rate that warms up and falls to zero along a cosine; none to
            leave merged members as they are.
        members: Narrow models that are trained first; merged, they are what the stages start from.
        prune: To prune one member, in place of merging several.
        width: Share of VGG-16's channels.
        filters: Of each of the thirteen convolutions, in place of a width.
        stride: Of the first convolution.
        teacher_temperature: Softens the answers of a teacher, which then replace the labels (``distil``); 0 to learn
            from the labels.
        teacher_map_weight: What the difference from the teacher's class activation map counts beside the cross
            entropy; 0 to leave the map to itself.
        weight_decay: Decoupled, on the kernels alone.
        label_smoothing: Share of the target spread over the three classes.
        mixup: Shape of the Beta distribution that images are mixed by; 0 for none.
        acquisition_cap: How much more or less often than others an image may be drawn so that how it was taken does
            not give its class away (``acquisition.draw_weights``); 1 draws all alike.
        dropout: Share of the last feature maps' channels dropped.
        average: Decay of the exponential moving average of the weights, the weights that are kept.
        validation_share: Share of the training images, by patient, to validate with.
        split_seed: Chooses the patients to validate with, so that runs with other seeds are judged on the same ones.
        augmentation: How far each disturbance may go.
    """

    stages: tuple[Stage, ...] = ()
    members: tuple[Member, ...] = ()
    prune: Prune | None = None
    width: float = 1.0
    filters: tuple[int, ...] = ()
    stride: int = 1
    teacher_temperature: float = 0.0
    teacher_map_weight: float = 0.0
    weight_decay: float = 0.02
    label_smoothing: float = 0.05
    mixup: float = 0.2
    acquisition_cap: float = DEFAULT_CAP
    dropout: float = 0.1
    average: float = 0.998
    validation_share: float = 0.1
    split_seed: int = 0
    augmentation: Augmentation = Augmentation()


def read(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        UsageError: The file is missing, no TOML, or has a wrong key or value, which is named.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Recipe)
    except OSError as error:
        raise UsageError(f"The recipe {path} cannot be read ({error.strerror}): name one of train/recipes/.") from error
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"The recipe {path} is not valid ({error}): compare it with those in train/recipes/."
        ) from error
