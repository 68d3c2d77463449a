"""One run, from a data set and a recipe to a folder with the model and its report."""

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import keras
import msgspec

from edge_runtime.errors import UsageError
from train import dataset, distil, fit, judge, recipe, report, vgg16
from train.merge import mean, merge
from train.recipe import Member, Recipe
from train.shrink import shrink

_SPLITS = ("train", "validation", "test")


class Options(msgspec.Struct, frozen=True):
    """What a person asked for.

    Attributes:
        data: Root of the data set.
        out: The run's folder.
        recipe: The recipe's file.
        weights: ``none``, ``imagenet`` or a file of pretrained VGG-16 weights.
        seed: Of the weights, the order and the augmentation.
        resume: Go on with the run that the folder holds.
        precision: ``auto``, ``float32``, ``mixed_bfloat16`` or ``mixed_float16``.
        limit: About how many images of each split to take, for a trial.
        teacher: Folder of the finished run to learn from, where the recipe wants one.
        test: Judge on the official test split too.
    """

    data: Path
    out: Path
    recipe: Path
    weights: str = "none"
    seed: int = 0
    resume: bool = False
    precision: str = "auto"
    limit: int | None = None
    teacher: Path | None = None
    test: bool = False


def run(options: Options, say: Callable[[str], None] = print) -> Path:
    """Train, judge and report; returns the path of ``report.html``.

    Raises:
        UsageError: The data, the recipe or the folder cannot be used as given.
    """
    plan = recipe.read(options.recipe)
    _refuse_mismatch(options, plan)
    say(f"Reading {options.data}")
    manifest = dataset.read(
        options.data, validation_share=plan.validation_share, seed=plan.split_seed, limit=options.limit
    )
    _open_folder(options, manifest)
    policy = fit.prepare_backend(options.precision, options.seed)
    training, validation = (_load(options.data, manifest, split) for split in ("train", "validation"))
    say(
        f"{len(training.pixels)} images to train with, {len(validation.pixels)} to validate; "
        f"{policy} on {keras.backend.backend()}"
    )

    teachers = distil.load_teachers(options.teacher, policy) if options.teacher else []
    start = _start(options, plan, training, validation, teachers, say)
    fit.fit(
        start, training, validation, plan, options.out,
        seed=options.seed, resume=options.resume, teachers=teachers, say=say,
    )  # fmt: skip

    test = _load(options.data, manifest, "test") if options.test else None
    # Judged in float32 whatever the training's precision, because that is what conversion starts from.
    keras.mixed_precision.set_dtype_policy("float32")
    judgement = judge.judge(_final(options.out, plan), training, validation, test, say)
    return report.write(options.out, judgement, _histories(options.out, plan), _describe(options, manifest, policy))


def _final(folder: Path, plan: Recipe) -> keras.Model:
    """The model that was trained; where nothing followed the merging, as its members' mean, which takes less to run."""
    if not plan.members or plan.stages:
        return vgg16.load(folder / fit.MODEL_FILE)
    places = range(1, len(plan.members) + 1)
    return mean([vgg16.load(folder / f"member-{place}" / fit.MODEL_FILE) for place in places])


def _histories(folder: Path, plan: Recipe) -> dict[str, tuple[fit.Epoch, ...]]:
    """What each network that was trained went through, the members' first."""
    folders = {f"member {place}": folder / f"member-{place}" for place in range(1, len(plan.members) + 1)}
    if plan.stages:
        folders["pruned" if plan.prune else "merged" if plan.members else "network"] = folder
    return {name: fit.read_history(path) for name, path in folders.items()}


def _refuse_mismatch(options: Options, plan: Recipe) -> None:
    if options.weights != "none" and (plan.members or plan.width != 1.0):
        raise UsageError(
            f"Pretrained weights need a recipe of width 1 without members, and {options.recipe} is another: "
            "use train/recipes/pretrained.toml."
        )
    if plan.prune is not None and (len(plan.members) != 1 or not plan.stages):
        raise UsageError(
            f"The recipe {options.recipe} prunes {len(plan.members)} members into {len(plan.stages)} stages: name "
            "the one member to prune, and stages that train what is left."
        )
    if bool(plan.teacher_temperature) != bool(options.teacher):
        raise UsageError(
            f"The recipe {options.recipe} learns from labels alone: leave --teacher out."
            if options.teacher
            else f"The recipe {options.recipe} learns from a teacher: name the folder of a finished run by --teacher."
        )


def _open_folder(options: Options, manifest: dataset.Manifest) -> None:
    """Create the run's folder, or make sure that a resumed run goes on with its own recipe and data."""
    files = {"recipe.toml": options.recipe.read_bytes(), "manifest.json": msgspec.json.encode(manifest)}
    if options.resume:
        for name, content in files.items():
            if not (options.out / name).exists():
                raise UsageError(f"{options.out} holds no run to resume: leave --resume out to start one.")
            if (options.out / name).read_bytes() != content:
                raise UsageError(
                    f"{options.out} was started with another {name}: resume with the same data, recipe and options, "
                    "or start anew in another folder."
                )
        return
    if (options.out / "recipe.toml").exists():
        raise UsageError(f"{options.out} holds a run already: go on with it by --resume, or name another folder.")
    options.out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (options.out / name).write_bytes(content)


def _load(root: Path, manifest: dataset.Manifest, split: str) -> fit.Labelled:
    images = manifest.of(split)
    return fit.Labelled(dataset.load_pixels(root, images), dataset.targets(images))


def _start(
    options: Options, plan: Recipe, training: fit.Labelled, validation: fit.Labelled, teachers: Sequence[keras.Model],
    say: Callable[[str], None],
) -> keras.Model:  # fmt: skip
    """The model to start the recipe's stages from."""
    scratch = options.weights == "none"
    members = [
        _member(
            options.recipe.parent / member.recipe,
            _seed(member, plan, options),
            options,
            training,
            validation,
            teachers,
            place,
            say,
        )
        for place, member in enumerate(plan.members, start=1)
    ]
    if plan.prune is not None:
        say(f"Pruning {plan.members[0].recipe}")
        return shrink(
            members[0], plan, training, validation, options.out,
            seed=options.seed, resume=options.resume, teachers=teachers, say=say,
        )  # fmt: skip
    keras.utils.set_random_seed(options.seed)
    model = vgg16.build(
        None, width=plan.width, filters=plan.filters, stride=plan.stride, standardize=scratch,
        dropout=plan.dropout, seed=options.seed,
    )  # fmt: skip
    if members:
        say(f"Merging {len(members)} members")
        merge(members, model)
    elif not scratch:
        vgg16.load_pretrained(model, options.weights)
    return model


def _seed(member: Member, plan: Recipe, options: Options) -> int:
    """The member's own, moved so that runs of other seeds share none of their members."""
    return member.seed + options.seed * len(plan.members)


def _member(
    path: Path, seed: int, options: Options, training: fit.Labelled, validation: fit.Labelled,
    teachers: Sequence[keras.Model], place: int, say: Callable[[str], None],
) -> keras.Model:  # fmt: skip
    plan = recipe.read(path)
    if plan.teacher_temperature and not teachers:
        raise UsageError(f"The member {path} learns from a teacher: {options.recipe} needs a teacher_temperature, too.")
    folder = options.out / f"member-{place}"
    folder.mkdir(exist_ok=True)
    (folder / "recipe.toml").write_bytes(path.read_bytes())
    say(f"Member {place}: {path.name}, seed {seed}")
    keras.utils.set_random_seed(seed)
    model = vgg16.build(
        None, width=plan.width, filters=plan.filters, stride=plan.stride, dropout=plan.dropout, seed=seed
    )  # fmt: skip
    return fit.fit(
        model, training, validation, plan, folder, seed=seed, resume=options.resume,
        teachers=teachers if plan.teacher_temperature else (), say=say,
    )  # fmt: skip


def _describe(options: Options, manifest: dataset.Manifest, policy: str) -> report.Run:
    return report.Run(
        command=shlex.join(["python", "-m", "train", *sys.argv[1:]]),
        seed=options.seed,
        precision=policy,
        backend=keras.backend.backend(),
        versions={name: version(name) for name in ("keras", "numpy", "opencv-python-headless")},
        data_sha256=manifest.sha256(),
        counts={split: dict(Counter(image.label for image in manifest.of(split))) for split in _SPLITS},
    )
