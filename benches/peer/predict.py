"""The peer of the prediction job: a saved classifier on all texts of a file, in one of three ways.
`cargo xtask bench` runs it; its result is a JSON file with seconds, or why there are none.

  transformers  PyTorch in f32, texts in the order of the file, batches padded to their longest
  onnx          the same with ONNX Runtime, the model exported before by onnx-export
  torch-bf16    PyTorch with bf16 weights (faster than autocast here), texts sorted by length, so that
                little is padded
"""

import argparse
import contextlib
import importlib.metadata
import importlib.util
import json
import platform
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

ENGINES = ["transformers", "onnx", "onnx-export", "torch-bf16"]
PACKAGES = ["torch", "transformers", "onnx", "onnxruntime"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--file", required=True, help="Parquet with a column text")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--onnx", type=Path, help="the exported model")
    parser.add_argument("--result", type=Path, required=True)
    return parser.parse_args()


def torch_forward(args, modes):
    """A function from a padded batch (numpy) to logits; `modes` is left at the end."""
    import torch
    from transformers import AutoModelForSequenceClassification

    dtype = torch.bfloat16 if args.engine == "torch-bf16" else torch.float32
    model = AutoModelForSequenceClassification.from_pretrained(args.model, dtype=dtype).eval()
    modes.enter_context(torch.inference_mode())

    def forward(batch):
        tensors = {name: torch.from_numpy(values) for name, values in batch.items()}
        return model(**tensors).logits.float().numpy()

    return forward


def onnx_forward(args):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(args.onnx), providers=["CPUExecutionProvider"])
    inputs = {given.name for given in session.get_inputs()}

    def forward(batch):
        return session.run(None, {name: batch[name] for name in batch if name in inputs})[0]

    return forward


def export(args):
    """The way that measured fastest: plain attention, which ONNX Runtime fuses, and the older exporter."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(
        args.model, attn_implementation="eager"
    ).eval()
    example = AutoTokenizer.from_pretrained(args.model)(
        ["a film", "a much longer text about a film"], padding=True, return_tensors="pt"
    )
    # By the order of the model's parameters.
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in example]
    partial = args.onnx.with_suffix(".partial")
    torch.onnx.export(
        model,
        tuple(example[name] for name in names),
        str(partial),
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in names},
        dynamo=False,
    )
    partial.rename(args.onnx)


def versions():
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        if installed(name):
            found[name] = importlib.metadata.version(name)
    return found


def main():
    args = arguments()
    if args.engine.startswith("onnx"):
        missing = [name for name in ("onnx", "onnxruntime") if not installed(name)]
        if missing:
            write(args, {"absent": f"not installed: {', '.join(missing)}"})
        elif args.engine == "onnx-export":
            export(args)
            write(args, {})
        else:
            write(args, measure(args, onnx_forward(args)))
        return
    with contextlib.ExitStack() as modes:
        write(args, measure(args, torch_forward(args, modes)))


def measure(args, forward):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model)

    def encode(texts):
        return tokenizer(texts, truncation=True, max_length=args.max_length)

    def padded(rows):
        batch = tokenizer.pad(rows, return_tensors="np")
        return {name: values.astype(np.int64) for name, values in batch.items()}

    # One batch that does not count, for whatever is set up on first use.
    warm_up = encode(["a text to begin with"] * args.batch_size)
    forward(padded({name: warm_up[name] for name in warm_up}))

    start = time.perf_counter()
    texts = pq.read_table(args.file, columns=["text"])["text"].to_pylist()
    encoded = encode(texts)
    rows = [{name: encoded[name][i] for name in encoded} for i in range(len(texts))]
    order = list(range(len(rows)))
    if args.engine == "torch-bf16":
        order.sort(key=lambda i: len(rows[i]["input_ids"]))
    logits, model_seconds = [None] * len(rows), 0.0
    for first in range(0, len(rows), args.batch_size):
        chosen = order[first : first + args.batch_size]
        batch = padded([rows[i] for i in chosen])
        before = time.perf_counter()
        answer = forward(batch)
        model_seconds += time.perf_counter() - before
        for i, row in zip(chosen, answer):
            logits[i] = row
    # Back in the order of the file: what a user has in the end.
    classes = np.argmax(np.stack(logits), axis=1)
    return {
        "texts": len(rows),
        "tokens": sum(len(row["input_ids"]) for row in rows),
        "seconds": time.perf_counter() - start,
        "model_seconds": model_seconds,
        "classes": np.bincount(classes).tolist(),
        "versions": versions(),
    }


def installed(name):
    return importlib.util.find_spec(name) is not None


def write(args, result):
    args.result.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
