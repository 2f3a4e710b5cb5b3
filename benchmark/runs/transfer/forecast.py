"""What a run of two models will take: time, memory and disk, by a measurement of a second or two of each model."""

import gc
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from statistics import mean

import torch

from graftbench.benchmark.core.errors import UserError
from graftbench.benchmark.core.store import Store
from graftbench.benchmark.data.examples import Example
from graftbench.benchmark.data.registry import dataset_named
from graftbench.benchmark.interventions.logits import at_last_token
from graftbench.benchmark.interventions.model_check import check_once
from graftbench.benchmark.interventions.token_tree import tree_of
from graftbench.benchmark.models.chat import chat
from graftbench.benchmark.models.devices import device_of, free_memory
from graftbench.benchmark.models.load import Model, load
from graftbench.benchmark.models.pool import grant_of
from graftbench.benchmark.models.tokens import token_ids
from graftbench.benchmark.runs.disk import Size, activations_on_disk, check_room
from graftbench.benchmark.runs.outlook import PROCESS
from graftbench.benchmark.runs.request import Request
from graftbench.benchmark.runs.transfer.pair_suite import STEERING, ModelNamed, PairOrder
from graftbench.benchmark.runs.transfer.site_choice import FRACTIONS, N_PROMPTS, N_VECTOR

GIB = 2**30
_ROWS, _TOKENS = 8, 64  # of the measurement
_EXAMPLES = 4
_FLOAT32 = 4  # bytes


@dataclass(frozen=True)
class Measured:
    """A model as it was found: its class, blocks and width, its size in bytes, and how fast it reads on this machine.

    `tokens_per_second` is the speed of one process while `at_once` of them read. `seconds` is how long loading took.
    `per_prompt` is the mean number of tokens that a prompt of behaviour steering has for itself, with both replies; 0
    without that task. `words` is the mean number of tokens of a text that mappers are fitted on.
    """

    name: str
    kind: str
    n_blocks: int
    d: int
    n_bytes: int
    seconds: float
    at_once: int
    tokens_per_second: float
    per_prompt: float
    words: float


@dataclass(frozen=True)
class Forecast:
    """Seconds, and bytes in memory and on disk, that a run is expected to take; `untold` tasks are not among them.

    The seconds are of a machine as busy as during the measurement, without the start of processes.
    """

    seconds_of_sites: float
    seconds: float
    memory: float
    disk: float
    workers: int
    untold: tuple[str, ...]


def measure(order: PairOrder, named: ModelNamed, device: str, workers: int) -> Measured:
    """Load a model, hold it to its checks, and measure it as a run of so many workers uses it.

    UserError where it cannot be used.
    """
    started = time.perf_counter()
    model = load(named.name, revision=named.revision, dtype=order.dtype, device=device, chat=named.chat)
    seconds = time.perf_counter() - started
    check_once(Store(), model)
    per_prompt, words = _lengths(order, model)
    at_once = workers if model.device.type == "cpu" else 1
    found = Measured(
        named.name,
        type(model.module).__name__,
        len(model.blocks),
        model.d,
        model.n_bytes,
        seconds,
        at_once,
        _tokens_per_second(model, at_once),
        per_prompt,
        words,
    )
    del model
    gc.collect()
    torch.cuda.empty_cache()  # the workers are other processes; without a GPU it does nothing
    return found


def _tokens_per_second(model: Model, at_once: int) -> float:
    """Return how many tokens a process reads in a second while `at_once` of them do.

    Threads of this process stand for the processes. Each has the threads of torch that a worker has.
    """
    threads = torch.get_num_threads()
    n_known: int = model.module.config.get_text_config().vocab_size
    ids = torch.arange(_ROWS * _TOKENS, device=model.device).view(_ROWS, _TOKENS) % n_known

    def seconds(_: int) -> float:
        torch.set_num_threads(1 if model.device.type == "cpu" else threads)
        started = time.perf_counter()
        with torch.inference_mode():  # which holds in its own thread alone
            model.module(input_ids=ids, use_cache=False).logits.sum().item()
        return time.perf_counter() - started

    try:
        with at_last_token(model):  # logits of every token would be a quarter of a gigabyte for 128 thousand
            seconds(0)  # the first time is slower
            with ThreadPoolExecutor(at_once) as pool:
                return _ROWS * _TOKENS / mean(pool.map(seconds, range(at_once)))
    finally:
        torch.set_num_threads(threads)


def _lengths(order: PairOrder, model: Model) -> tuple[float, float]:
    """Return the mean number of tokens of a prompt of its own, with its replies, and of a text to fit on."""
    if STEERING not in order.variants:
        return 0.0, float(_TOKENS)
    dataset, variant = dataset_named(order.datasets[STEERING]), order.variants[STEERING][0]
    examples = dataset.examples(variant, "validation", _EXAMPLES)
    texts = [token_ids(text, model.tokenizer) for item in examples for text in _whole(item, model)]
    tree = tree_of(texts, [[()]] * len(texts))
    shared = len(set.intersection(*map(set, tree.texts))) if len(examples) > 1 else 0  # by all prompts
    return (len(tree.tokens) - shared) / len(examples), sum(map(len, texts)) / len(texts)


def _whole(item: Example, model: Model) -> list[str]:
    text = chat(item.prompt, model.tokenizer)
    return [text.with_reply(reply).text for reply in (item.reference, item.other) if reply]


def forecast(order: PairOrder, request: Request, models: Mapping[str, Measured], n_sites: int) -> Forecast:
    """Return what a run will take; fewer workers where the memory holds no more.

    UserError where not even one fits into the memory, or the disk is too small.
    """
    source, target = (models[each.name] for each in (order.source, order.target))
    sizes = {each.name: each.n_bytes for each in (source, target)}.values()
    device = device_of(request.device)
    on_gpu, free = device.type == "cuda", free_memory(device)
    beside = PROCESS + _pairs(request, source, target)
    at_once = sum(sizes) if order.side_effects else max(sizes)  # the target follows the source in full replacement
    memory = beside + at_once
    workers = min(1 if on_gpu else request.workers, int(free // memory))
    if workers < 1:
        which = "The two models" if order.side_effects else "The larger of the two models"
        raise UserError(
            f"{which} and the activations that a mapper is fitted on take {memory / GIB:.1f} GiB of "
            f"{'the memory of ' + str(device) if on_gpu else 'memory'}, and {free / GIB:.1f} GiB are free: take a "
            "smaller dtype (--dtype bfloat16), or smaller models."
        )
    texts = {each.name: Size(each.d, each.words) for each in models.values()}
    disk = activations_on_disk(request.suite, request.cells(), lambda spec, _: texts[str(spec.model)]).n_bytes
    check_room(disk, Store().root)
    return Forecast(
        _of_sites(order, (source, target), n_sites, workers),
        _of_steering(order, request, source, target, workers),
        (beside + min(sum(sizes), max(at_once, grant_of(device, workers)))) * workers,
        disk,
        workers,
        tuple(name for name in request.suite.tasks if name != STEERING) + order.side_effects,
    )


def _pairs(request: Request, source: Measured, target: Measured) -> float:
    """Return the bytes of the activations that one mapper is fitted on."""
    n = max(int(task.settings.get("fit", 1000)) for task in request.suite.tasks.values())
    return n * target.words * (source.d + target.d) * _FLOAT32


def _of_sites(order: PairOrder, models: Sequence[Measured], n_sites: int, workers: int) -> float:
    """Return the seconds that it takes to choose the sites."""
    if not n_sites or STEERING not in order.variants:
        return 0.0
    n, once = n_sites * len(order.variants[STEERING]), dict.fromkeys(models)
    rows = N_PROMPTS * 5  # unsteered, native and random in both signs; through the upper half of the blocks alone
    tokens = [rows * each.per_prompt / 2 + 2 * N_VECTOR * each.words for each in models]  # and both sides of a contrast
    job = mean(each / model.tokens_per_second for model, each in zip(models, tokens, strict=True))
    searches = 1 if n_sites <= len(FRACTIONS) else 2  # each in processes of its own
    return ceil(n * len(once) / workers) * job + searches * sum(model.seconds for model in once)


def _of_steering(order: PairOrder, request: Request, source: Measured, target: Measured, workers: int) -> float:
    """Return the seconds for the cells of behaviour steering.

    A behaviour is a job for what does not depend on the mapper, and then one for each track and seed. Fewer jobs than
    workers leave some of these without work.
    """
    if STEERING not in order.variants:
        return 0.0
    settings = request.suite.tasks[STEERING].settings
    draws, strengths = settings["draws"], 2 * len(settings["strengths"])
    on_validation = 1 + strengths * (1 + draws["validation"])
    on_test = 3 + draws["test"] + draws["contrast"]
    seeds = 1 if request.mapper.deterministic else request.suite.seeds
    n_mapped, n = len(order.tracks) * seeds, len(order.variants[STEERING])
    row = target.per_prompt / 2 / target.tokens_per_second  # the upper half of the blocks alone
    reference = row * (settings["validation"] * on_validation + settings["test"] * on_test)
    mapped = row * (settings["validation"] * strengths + settings["test"] * 2)
    mapped += settings["fit"] * sum(each.words / each.tokens_per_second for each in (source, target)) / seeds
    loading = sum(each.seconds for each in dict.fromkeys((source, target)))
    seconds: float = loading + ceil(n / workers) * reference + ceil(n * n_mapped / workers) * mapped
    return seconds
