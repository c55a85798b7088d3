"""The peer of the training jobs: one fine-tuning job with transformers' Trainer, peft and datasets on
PyTorch, set up as their documentation does it. `cargo xtask bench` runs it; its result is a JSON
file. Times are seconds since the epoch, so that the start of the process counts too.
"""

import argparse
import importlib.metadata
import json
import platform
import time
from pathlib import Path

PACKAGES = ["torch", "transformers", "peft", "datasets", "accelerate"]
# Names of the query and value layers, by model type.
LORA_TARGETS = {"distilbert": ["q_lin", "v_lin"], "bert": ["query", "value"]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True, help="train.parquet and validation.parquet")
    parser.add_argument("--strategy", choices=["full", "lora", "head"], required=True)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--group-by-length", action="store_true", help="batches of similar length")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--max-steps", type=int, default=-1)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--output", type=Path, required=True, help="for what the Trainer writes")
    parser.add_argument("--result", type=Path, required=True)
    return parser.parse_args()


def main():
    args = arguments()
    # Importing is part of the set-up that a user waits for, so it comes after the process's start.
    import torch
    from datasets import load_dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    files = {split: str(args.data / f"{split}.parquet") for split in ("train", "validation")}
    data = load_dataset("parquet", data_files=files)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    data = data.map(
        lambda rows: tokenizer(rows["text"], truncation=True, max_length=args.max_length), batched=True
    )
    labels = len(set(data["train"]["label"]))
    model = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=labels)
    if args.strategy == "head":
        for parameter in model.base_model.parameters():
            parameter.requires_grad = False
    if args.strategy == "lora":
        from peft import LoraConfig, get_peft_model

        targets = LORA_TARGETS[model.config.model_type]
        config = LoraConfig(
            task_type="SEQ_CLS", r=8, lora_alpha=16, lora_dropout=0.1, target_modules=targets
        )
        model = get_peft_model(model, config)

    batches = []

    class Collator(DataCollatorWithPadding):
        """Counts rows and tokens; batches are collated in the order of the steps."""

        def __call__(self, rows):
            batches.append((len(rows), sum(len(row["input_ids"]) for row in rows)))
            return super().__call__(rows)

    class Clock(TrainerCallback):
        def __init__(self):
            self.first_step = None
            self.ends = []

        def on_step_begin(self, *_, **__):
            if self.first_step is None:
                self.first_step = time.time()

        def on_step_end(self, *_, **__):
            self.ends.append(time.time())

    clock = Clock()
    sampling = {"train_sampling_strategy": "group_by_length"} if args.group_by_length else {}
    settings = TrainingArguments(
        output_dir=str(args.output),
        num_train_epochs=args.epochs,
        max_steps=args.max_steps,
        per_device_train_batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        weight_decay=0.01,
        warmup_steps=0.1,
        eval_strategy="no",
        save_strategy="no",
        logging_steps=50,
        report_to="none",
        use_cpu=True,
        bf16=args.precision == "bf16",
        disable_tqdm=True,
        **sampling,
    )
    trainer = Trainer(
        model=model,
        args=settings,
        train_dataset=data["train"],
        processing_class=tokenizer,
        data_collator=Collator(tokenizer),
        callbacks=[clock],
    )
    begin = time.time()
    trainer.train()

    steps = [
        {"rows": rows, "tokens": tokens, "end": end}
        for (rows, tokens), end in zip(batches, clock.ends)
    ]
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    result = {
        "begin": begin,
        "first_step": clock.first_step,
        "steps": steps,
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), **versions},
    }
    args.result.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
