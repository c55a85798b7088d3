"""The `lab` preset in PyTorch, as the course builds it: `nn.TransformerEncoder` trained from nothing, in batches that
are padded to their longest text. Tokenizer, batches, epochs, optimizer, schedule, dropout and initial weights are those
of `finetune train --init scratch --encoder lab`; the mean is that of a text's own tokens. See docs/encoders.md.

  python lab.py --tokenizer words --data ag_news --epochs 3 --batch-size 32 --learning-rate 1e-3
"""

import argparse
import json
import math
import time
from pathlib import Path

import pyarrow.parquet as parquet
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence

WIDTH, LAYERS, HEADS, FEED_FORWARD, DROPOUT = 100, 2, 2, 128, 0.1
SPREAD = 0.1  # standard deviation of the initial weights


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True, help="directory with tokenizer.json")
    parser.add_argument("--data", type=Path, required=True, help="train, validation and test.parquet: text, label")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--warmup-ratio", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


class Classifier(nn.Module):
    def __init__(self, words, classes, longest):
        super().__init__()
        self.words = nn.Embedding(words, WIDTH)
        frequencies = torch.exp(torch.arange(0, WIDTH, 2) * (-math.log(10000.0) / WIDTH))
        angles = torch.arange(longest)[:, None] * frequencies
        positions = torch.stack([angles.sin(), angles.cos()], 2).reshape(longest, WIDTH)
        self.register_buffer("positions", positions, persistent=False)
        self.dropout = nn.Dropout(DROPOUT)
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, FEED_FORWARD, DROPOUT, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, LAYERS)
        self.classifier = nn.Linear(WIDTH, classes)
        for name, parameter in self.named_parameters():
            if "norm" in name and name.endswith("weight"):
                nn.init.ones_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=SPREAD)

    def forward(self, ids, real):
        x = self.words(ids) * math.sqrt(WIDTH) + self.positions[: ids.shape[1]]
        x = self.encoder(self.dropout(x), src_key_padding_mask=~real)
        mean = (x * real[:, :, None]).sum(1) / real.sum(1, keepdim=True)
        return self.classifier(mean)


def batch(rows):
    ids = pad_sequence([ids for ids, _ in rows], batch_first=True)
    lengths = torch.tensor([len(ids) for ids, _ in rows])
    real = torch.arange(ids.shape[1])[None, :] < lengths[:, None]
    return ids, real, torch.tensor([label for _, label in rows])


@torch.no_grad()
def accuracy(model, rows):
    model.eval()
    correct = 0
    for start in range(0, len(rows), 32):
        ids, real, labels = batch(rows[start : start + 32])
        correct += (model(ids, real).argmax(1) == labels).sum().item()
    return correct / len(rows)


def main():
    args = arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    tokenizer = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
    tokenizer.enable_truncation(args.max_length)

    def read(split):
        table = parquet.read_table(args.data / f"{split}.parquet", columns=["text", "label"]).to_pydict()
        encoded = tokenizer.encode_batch(table["text"])
        # A text without a word is one unknown token, as in finetune.
        unknown = [tokenizer.token_to_id("[UNK]")]
        return [(torch.tensor(e.ids or unknown), label) for e, label in zip(encoded, table["label"])]

    data = {split: read(split) for split in ("train", "validation", "test")}
    classes = 1 + max(label for _, label in data["train"])
    model = Classifier(tokenizer.get_vocab_size(), classes, args.max_length)

    named = list(model.named_parameters())
    plain = [p for name, p in named if "norm" in name or name.endswith("bias")]
    decayed = [p for name, p in named if not ("norm" in name or name.endswith("bias"))]
    groups = [{"params": decayed, "weight_decay": args.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=args.learning_rate)
    steps = args.epochs * math.ceil(len(data["train"]) / args.batch_size)
    warmup = math.ceil(args.warmup_ratio * steps)
    rate = lambda step: step / max(1, warmup) if step < warmup else (steps - step) / max(1, steps - warmup)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)

    best, epochs = -1.0, []
    for epoch in range(args.epochs):
        model.train()
        begin, processor, total = time.perf_counter(), time.process_time(), 0.0
        order = torch.randperm(len(data["train"])).tolist()
        for start in range(0, len(order), args.batch_size):
            ids, real, labels = batch([data["train"][row] for row in order[start : start + args.batch_size]])
            loss = nn.functional.cross_entropy(model(ids, real), labels)
            optimizer.zero_grad()
            loss.backward()
            clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(labels)
        seconds, processor = time.perf_counter() - begin, time.process_time() - processor
        validation = accuracy(model, data["validation"])
        epochs.append(seconds)
        print(
            f"epoch {epoch + 1}  loss {total / len(order):.4f}  validation accuracy {validation:.4f}  "
            f"{seconds:.1f} s  {processor:.1f} s of processor time",
            flush=True,
        )
        if validation > best:
            best = validation
            kept = {name: value.clone() for name, value in model.state_dict().items()}
    # The best model on the validation rows, as finetune keeps it.
    model.load_state_dict(kept)
    result = {"validation": best, "test": accuracy(model, data["test"]), "seconds_per_epoch": epochs}
    print(json.dumps(result | {"torch": torch.__version__, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
