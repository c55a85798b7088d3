"""Trains a DistilBERT of the published size with random weights on a GPU in PyTorch, and prints samples per second.

Usage: gpu.py MODEL_DIR TEXTS.jsonl [--batches 16,128] [--steps 60]

MODEL_DIR has a tokenizer, and gets the weights (`--init`) that all contestants train. Contestants: eager with TF32,
eager with autocast to bf16 (batches padded to their longest row), and bf16 weights compiled with CUDA graphs
(padded to 64 tokens, so that shapes do not change).
"""

import argparse
import json
import time

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DistilBertConfig


def init(directory, hidden, layers, heads):
    torch.manual_seed(1)
    config = DistilBertConfig(dim=hidden, hidden_dim=4 * hidden, n_layers=layers, n_heads=heads, num_labels=2)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(directory)


def batches(tokenizer, rows, size, width):
    for start in range(0, len(rows) - size + 1, size):
        some = rows[start : start + size]
        padding = "max_length" if width else "longest"
        encoded = tokenizer([r["text"] for r in some], padding=padding, max_length=width or 512, truncation=True, return_tensors="pt")
        labels = torch.tensor([r["label"] for r in some])
        yield {**{k: v for k, v in encoded.items() if k != "token_type_ids"}, "labels": labels}


def run(name, directory, rows, size, steps, *, compiled=False, autocast=False, width=None):
    tokenizer = AutoTokenizer.from_pretrained(directory)
    dtype = torch.bfloat16 if compiled else torch.float32
    model = AutoModelForSequenceClassification.from_pretrained(directory, dtype=dtype).cuda().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=True)
    forward = torch.compile(model, mode="reduce-overhead") if compiled else model
    prepared = [{k: v.pin_memory() for k, v in b.items()} for b in batches(tokenizer, rows, size, width)]
    warm = 10 if compiled else 5
    torch.cuda.reset_peak_memory_stats()
    losses = []
    for step in range(warm + steps):
        if step == warm:
            torch.cuda.synchronize()
            start = time.perf_counter()
        batch = {k: v.cuda(non_blocking=True) for k, v in prepared[step % len(prepared)].items()}
        with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
            loss = forward(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=not compiled)
        losses.append(loss.detach().clone())
    torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    print(json.dumps({
        "contestant": name, "batch": size, "samples_per_second": round(size * steps / seconds, 1),
        "ms_per_step": round(1e3 * seconds / steps, 3), "peak_gb": round(torch.cuda.max_memory_allocated() / 1e9, 3),
        "first_loss": round(float(losses[0]), 4), "last_loss": round(float(losses[-1]), 4),
    }), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("texts", nargs="?")
    parser.add_argument("--init", help="hidden,layers,heads: write random weights and stop")
    parser.add_argument("--batches", default="16,128")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--only", default="tf32,autocast,compiled")
    options = parser.parse_args()
    if options.init:
        init(options.model, *map(int, options.init.split(",")))
        return
    with open(options.texts) as file:
        rows = [json.loads(line) for line in file]
    torch.backends.cuda.matmul.allow_tf32 = True
    for size in map(int, options.batches.split(",")):
        for name in options.only.split(","):
            kind = {"tf32": {}, "autocast": {"autocast": True}, "compiled": {"compiled": True, "width": 64}}[name]
            run(name, options.model, rows, size, options.steps, **kind)


main()
