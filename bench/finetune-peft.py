"""The other side of bench/finetune.ts: PEFT on PyTorch. Reads orders as lines of JSON, answers each by one."""
import json
import os
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

NAMES = {
    'attn_q': 'self_attn.q_proj', 'attn_k': 'self_attn.k_proj', 'attn_v': 'self_attn.v_proj', 'attn_output': 'self_attn.o_proj',
    'ffn_gate': 'mlp.gate_proj', 'ffn_up': 'mlp.up_proj', 'ffn_down': 'mlp.down_proj',
}


def open_model(order):
    """The model in f32 with fresh adapters, whose A are those of the other side."""
    torch.set_num_threads(order['threads'])
    folder, name = os.path.split(order['model'])
    base = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    targets = sorted({path.split('.')[-1] for path in NAMES.values()})
    config = LoraConfig(r=order['rank'], lora_alpha=order['alpha'], target_modules=targets, lora_dropout=0.0, task_type='CAUSAL_LM')
    model = get_peft_model(base, config)
    values = torch.frombuffer(bytearray(open(order['adapter']['path'], 'rb').read()), dtype=torch.float32)
    weights = dict(model.named_parameters())
    at = 0
    for item in order['adapter']['weights']:
        _, layer, stem, _ = item['weight'].split('.')
        count = item['rank'] * item['columns']
        weight = weights[f'base_model.model.model.layers.{layer}.{NAMES[stem]}.lora_A.default.weight']
        with torch.no_grad():
            weight.copy_(values[at:at + count].view(item['rank'], item['columns']))
        at += count
    return model


def batch_of(examples):
    """Padded at the right to the longest, as a collator does; what is not learnt, and padding, is masked."""
    length = max(len(example['ids']) for example in examples) + 1
    ids, labels, mask = [], [], []
    for example in examples:
        last = example['targets'][-1]
        row = example['ids'] + [max(last, 0)]
        label = [-100] + [target if target >= 0 else -100 for target in example['targets']]
        rest = length - len(row)
        ids.append(row + [0] * rest)
        labels.append(label + [-100] * rest)
        mask.append([1] * len(row) + [0] * rest)
    return {'input_ids': torch.tensor(ids), 'labels': torch.tensor(labels), 'attention_mask': torch.tensor(mask)}


def learnt(examples):
    return sum(target >= 0 for example in examples for target in example['targets'])


def step(model, optimizer, order, clip):
    for group in optimizer.param_groups:
        group['lr'] = order['learningRate']
    model.train()
    optimizer.zero_grad()
    loss = model(**batch_of(order['step']), use_cache=False).loss
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], clip)
    optimizer.step()
    return {'loss': loss.item(), 'norm': norm.item()}


def evaluate(model, order):
    model.eval()
    total = 0.0
    examples, size = order['evaluate'], order['size']
    with torch.no_grad():
        for at in range(0, len(examples), size):
            part = examples[at:at + size]
            total += model(**batch_of(part), use_cache=False).loss.item() * learnt(part)
    return {'loss': total / learnt(examples)}


def main():
    model = optimizer = setup = None
    for line in sys.stdin:
        order = json.loads(line)
        begun = time.perf_counter()
        if 'model' in order:
            setup, model = order, open_model(order)
            trained = [p for p in model.parameters() if p.requires_grad]
            optimizer = torch.optim.AdamW(trained, betas=(setup['beta1'], setup['beta2']), eps=setup['epsilon'], weight_decay=setup['weightDecay'])
            answer = {'loss': 0}
        elif 'step' in order:
            answer = step(model, optimizer, order, setup['maxGradNorm'])
        else:
            answer = evaluate(model, order)
        print(json.dumps({**answer, 'seconds': time.perf_counter() - begun}), flush=True)


main()
