"""EWoK: two contexts and two targets; each target fits one context."""

from datasets import Dataset


def both_targets(items: Dataset) -> Dataset:
    """Two rows an item, one for each target: is it likelier after its own context than after the other?

    The mean over rows is the published score, in which an item with one of the two counts half.
    """
    rows = []
    for item in items.to_list():
        contexts = [item["Context1"], item["Context2"]]
        shared = {"Domain": item.get("Domain"), "contexts": contexts}
        rows += [{**shared, "target": item[f"Target{right + 1}"], "right": right} for right in (0, 1)]
    return Dataset.from_list(rows)
